/* SPDX-License-Identifier: Apache-2.0 */
/* cli/main.c: which command is meant. */
#include "command.h"
#include "screen.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

#define ADDRESS(name) &cli_##name,
static const cli_command *const commands[] = {CLI_COMMANDS(ADDRESS) NULL};

const cli_command *cli_command_at(int i)
{
    return commands[i];
}

const cli_command *cli_command_named(const char *name)
{
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static int unknown(const char *word)
{
    const char *names[sizeof commands / sizeof *commands + 2];
    int n = 0;
    for (; commands[n]; n++)
        names[n] = commands[n]->name;
    names[n++] = "help";
    names[n] = NULL;
    static const char *const options[] = {"--help", "--version", NULL};
    const char *nearest = cli_nearest(word, word[0] == '-' ? options : names);
    const char *what = word[0] == '-' ? "option" : "command";
    if (nearest)
        cli_warn(CLI_SAY_ERROR, "there is no %s \"%s\"; did you mean \"%s\"?", what, word, nearest);
    else
        cli_warn(CLI_SAY_ERROR, "there is no %s \"%s\"", what, word);
    fputs("See: shardmill --help\n", stderr);
    return CLI_USAGE;
}

static int help(const char *topic)
{
    const cli_command *command = topic ? cli_command_named(topic) : NULL;
    if (topic && !command)
        return unknown(topic);
    if (command)
        cli_help(command);
    else
        cli_help_all(false);
    return CLI_OK;
}

static int run_command(const cli_command *command, int nwords, char **words)
{
    void *args = calloc(1, command->args_nbytes);
    if (!args) {
        cli_warn(CLI_SAY_ERROR, "out of memory");
        return CLI_SYSTEM;
    }
    if (command->defaults)
        command->defaults(args);
    bool wants_help;
    int code = cli_parse(command, nwords, words, args, &wants_help);
    if (!code && wants_help)
        cli_help(command);
    else if (!code)
        code = command->main(args);
    free(args);
    return code;
}

static int dispatch(int nwords, char **words)
{
    if (!nwords) {
        cli_help_all(true);
        return CLI_USAGE;
    }
    if (!strcmp(words[0], "--version") || !strcmp(words[0], "-V")) {
        printf("shardmill %s\n", MILL_VERSION);
        return CLI_OK;
    }
    if (!strcmp(words[0], "--help") || !strcmp(words[0], "-h") || !strcmp(words[0], "help"))
        return help(nwords > 1 ? words[1] : NULL);
    const cli_command *command = cli_command_named(words[0]);
    return command ? run_command(command, nwords - 1, words + 1) : unknown(words[0]);
}

int main(int argc, char **argv)
{
    int code = dispatch(argc - 1, argv + 1);
    int written = cli_stdout_check();
    return code ? code : written;
}
