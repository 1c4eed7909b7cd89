/* SPDX-License-Identifier: Apache-2.0 */
/* cli/help.c: --help, from the same tables that the parser reads. */
#include "command.h"
#include "screen.h"
#include "text.h"
#include <string.h>
#include <unistd.h>

#define WIDEST 100

static int help_width(int fd)
{
    int width = cli_width(fd);
    return width > WIDEST ? WIDEST : width < 40 ? 40 : width - 1;
}

static int left_side(char *text, size_t nbytes, const cli_option *o)
{
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    return snprintf(text, nbytes, "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
                    o->value ? o->value : "");
}

static void print_option(const cli_option *o, int column, int width)
{
    char left[80], right[600], choices[256];
    int n = left_side(left, sizeof left, o);
    cli_choices(o, choices, sizeof choices);
    snprintf(right, sizeof right, "%s%s%s%s%s%s", o->help, choices[0] ? ": " : "", choices,
             o->fallback ? " (default: " : "", o->fallback ? o->fallback : "", o->fallback ? ")" : "");
    fputs(left, stdout);
    cli_wrap(stdout, right, n, column, width);
}

void cli_help(const cli_command *c)
{
    int width = help_width(STDOUT_FILENO), column = 0;
    printf("usage: shardmill %s%s%s [OPTIONS]\n\n", c->name, c->operands[0] ? " " : "", c->operands);
    cli_wrap(stdout, c->about, 0, 0, width);
    printf("\noptions:\n");
    for (int i = 0; i < c->noptions; i++) {
        char left[80];
        int n = left_side(left, sizeof left, &c->options[i]) + 2;
        column = n > column && n <= 30 ? n : column;
    }
    for (int i = 0; i < c->noptions; i++)
        print_option(&c->options[i], column, width);
    printf("  -h, --help");
    cli_wrap(stdout, "this text", 12, column, width);
    printf("\nexample:\n  %s\n", c->example);
}

void cli_help_all(bool to_stderr)
{
    FILE *file = to_stderr ? stderr : stdout;
    fprintf(file, "usage: shardmill COMMAND ...\n\n"
                  "Turns shards of raw data into training-ready tensors.\n\ncommands:\n");
    const cli_command *c;
    for (int i = 0; (c = cli_command_at(i)); i++)
        fprintf(file, "  %-12s %s\n", c->name, c->summary);
    fprintf(file,
            "\n  shardmill COMMAND --help   options and an example\n"
            "  shardmill --version\n\nexample:\n  %s\n",
            cli_run.example);
}
