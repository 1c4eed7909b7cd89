/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"
#include "command.h"
#include "text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_stderr_is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

int cli_width(int fd)
{
    struct winsize size;
    if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
        return size.ws_col;
    return 80;
}

/* no-color.org: any value that is not empty turns colours off. */
static bool wants_colour(void)
{
    const char *off = getenv("NO_COLOR");
    return cli_stderr_is_terminal() && !(off && off[0]);
}

void cli_word(cli_say say)
{
    static const char *const words[] = {"note", "warning", "error"};
    static const char *const colours[] = {"\033[1m", "\033[1;33m", "\033[1;31m"};
    if (wants_colour())
        fprintf(stderr, "%s%s:\033[0m ", colours[say], words[say]);
    else
        fprintf(stderr, "%s: ", words[say]);
}

void cli_complain(cli_say say, const char *format, va_list list)
{
    fputs("shardmill: ", stderr);
    cli_word(say);
    char text[2048];
    vsnprintf(text, sizeof text, format, list);
    cli_plain(stderr, text);
    fputc('\n', stderr);
}

void cli_warn(cli_say say, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    cli_complain(say, format, list);
    va_end(list);
}

int cli_stdout_check(void)
{
    errno = 0;
    bool failed = fflush(stdout) != 0;
    int os_error = errno;
    if (!failed && !ferror(stdout))
        return CLI_OK;
    if (os_error == EPIPE)
        return CLI_OK;
    cli_warn(CLI_SAY_ERROR, "cannot write to standard output: %s",
             os_error ? strerror(os_error) : "an earlier write failed");
    return CLI_SYSTEM;
}
