/* SPDX-License-Identifier: Apache-2.0 */
/* cli/command.h: a command is one file that ends in a const cli_command, and one line in CLI_COMMANDS. Its
 * options are a table: the parser fills a struct by it, and --help prints it. */
#ifndef MILL_CLI_COMMAND_H
#define MILL_CLI_COMMAND_H

#include <shardmill/shardmill.h>
#include <stdbool.h>

#define CLI_COMMANDS(X)                                                                                      \
    X(run)                                                                                                   \
    X(load)                                                                                                  \
    X(inspect)                                                                                               \
    X(stats)                                                                                                 \
    X(fit)                                                                                                   \
    X(index)                                                                                                 \
    X(transforms)                                                                                            \
    X(formats)

/* ---- exit codes ---- */

enum {
    CLI_OK = 0,
    CLI_BAD_DATA = 1,    /* more errors in the data than are allowed */
    CLI_USAGE = 2,       /* the command line, pipeline or spec is wrong */
    CLI_SYSTEM = 3,      /* the operating system refused: a file, memory, ... */
    CLI_INTERRUPTED = 75 /* by a signal; the same command does the rest */
};

/* ---- options ---- */

typedef enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char * */
    CLI_CHOICE, /* const char *, one of choices */
    CLI_MAYBE,  /* likewise, or "" when it is given without a value */
    CLI_NAME,   /* const char *, one of what is built in; choices: its kind, see mill_format_info */
    CLI_COUNT,  /* int64_t, min to max */
    CLI_NUMBER, /* double, min to max */
    CLI_SIZE,   /* uint64_t, bytes: 64M, 1.5GiB */
    CLI_BUDGET  /* cli_budget: 10 or 0.5% */
} cli_kind;

typedef struct cli_budget {
    int64_t count;   /* 0: not given */
    double fraction; /* 0: not given */
} cli_budget;

typedef struct cli_option {
    const char *name; /* without its dashes */
    char letter;      /* 0: none */
    cli_kind kind;
    size_t offset;        /* of what it fills in the command's struct of arguments */
    const char *value;    /* what stands for its value in --help: "FILE" */
    const char *choices;  /* "fail|skip|substitute" */
    const char *fallback; /* shown in --help; the struct of arguments must mean it when it is not given */
    int64_t min, max;
    const char *help;
} cli_option;

/* Words that are no options; the first member of each struct of arguments. */
typedef struct cli_operands {
    int n;
    char **words;
} cli_operands;

typedef struct cli_command {
    const char *name;
    const char *summary;  /* one line */
    const char *operands; /* "SPEC..." in --help, or "" */
    int fewest_operands, most_operands;
    const char *about;   /* a paragraph or two */
    const char *example; /* one that works */
    const cli_option *options;
    int noptions;
    size_t args_nbytes;
    void (*defaults)(void *args); /* where zeros do not mean them; NULL: they do */
    int (*main)(void *args);      /* answers an exit code */
} cli_command;

#define CLI_DECLARE(name) extern const cli_command cli_##name;
CLI_COMMANDS(CLI_DECLARE)

const cli_command *cli_command_at(int i); /* NULL past the last */
const cli_command *cli_command_named(const char *name);

/* Fill args by the words behind the command's name. Answers CLI_OK, or CLI_USAGE after a message. *help:
 * --help was among them; nothing else counts then. */
int cli_parse(const cli_command *command, int nwords, char **words, void *args, bool *help);
/* A usage error of a command: printed with where to read on. Answers CLI_USAGE. */
int cli_usage(const cli_command *command, const char *format, ...) MILL_PRINTF(2, 3);

/* What an option can be, "a|b|c"; empty if it is anything of its kind. */
void cli_choices(const cli_option *option, char *text, size_t nbytes);

void cli_help(const cli_command *command);
void cli_help_all(bool to_stderr);

#endif
