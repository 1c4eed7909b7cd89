/* SPDX-License-Identifier: Apache-2.0 */
/* cli/arguments.c: the words of a command line, by the command's table of options. Options and operands may
 * be mixed; "--name value", "--name=value", "-n value", "-nvalue" and "-vq" are understood; "--" ends the
 * options. */
#include "command.h"
#include "screen.h"
#include "text.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const cli_command *command;
    char *args;
    int nwords, at;
    char **words;
} reading;

int cli_usage(const cli_command *command, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    cli_complain(CLI_SAY_ERROR, format, list);
    va_end(list);
    fprintf(stderr, "See: shardmill %s --help\n", command->name);
    return CLI_USAGE;
}

static const cli_option *find(const cli_command *command, const char *name, size_t n)
{
    for (int i = 0; i < command->noptions; i++)
        if (strlen(command->options[i].name) == n && !memcmp(command->options[i].name, name, n))
            return &command->options[i];
    return NULL;
}

static int unknown(const reading *r, const char *word)
{
    const char *names[64];
    int n = 0, length = (int)strcspn(word, "=");
    for (; n < r->command->noptions && n < 62; n++)
        names[n] = r->command->options[n].name;
    names[n++] = "help";
    names[n] = NULL;
    char name[64];
    snprintf(name, sizeof name, "%.*s", length, word + strspn(word, "-"));
    name[strcspn(name, "=")] = 0;
    const char *nearest = word[1] == '-' ? cli_nearest(name, names) : NULL;
    if (nearest)
        return cli_usage(r->command, "there is no option %.*s; did you mean --%s?", length, word, nearest);
    return cli_usage(r->command, "there is no option %.*s", length, word);
}

/* ---- values ---- */

static int bad_value(const reading *r, const cli_option *o, const char *text, const char *expected)
{
    return cli_usage(r->command, "--%s is \"%s\"; expected %s", o->name, text, expected);
}

static bool is_choice(const char *choices, const char *text, size_t length)
{
    for (const char *s = choices; *s;) {
        size_t n = strcspn(s, "|");
        if (n == length && !memcmp(s, text, n))
            return true;
        s += n + (s[n] == '|');
    }
    return false;
}

void cli_choices(const cli_option *o, char *text, size_t nbytes)
{
    mill_format_info info;
    text[0] = 0;
    if (o->kind == CLI_CHOICE || o->kind == CLI_MAYBE)
        snprintf(text, nbytes, "%s", o->choices);
    for (int i = 0, n = 0; o->kind == CLI_NAME && mill_format_at(i, &info); i++)
        if (!strcmp(info.kind, o->choices) && (size_t)n < nbytes)
            n += snprintf(text + n, nbytes - (size_t)n, "%s%s", n ? "|" : "", info.name);
}

static int take_choice(const reading *r, const cli_option *o, const char *text, const char **value)
{
    char choices[256], expected[300];
    cli_choices(o, choices, sizeof choices);
    size_t name = o->kind == CLI_NAME ? strcspn(text, ":") : strlen(text); /* arguments may follow */
    if (is_choice(choices, text, name)) {
        *value = text;
        return CLI_OK;
    }
    snprintf(expected, sizeof expected, "one of %s", choices);
    return bad_value(r, o, text, expected);
}

static int take_count(const reading *r, const cli_option *o, const char *text, int64_t *value)
{
    char *end, expected[80];
    errno = 0;
    bool digit = text[text[0] == '-'] >= '0' && text[text[0] == '-'] <= '9';
    long long n = strtoll(text, &end, 10);
    if (digit && !*end && !errno && n >= o->min && n <= o->max) {
        *value = n;
        return CLI_OK;
    }
    if (o->max == INT64_MAX)
        snprintf(expected, sizeof expected, "a whole number, %lld or more", (long long)o->min);
    else
        snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)o->min,
                 (long long)o->max);
    return bad_value(r, o, text, expected);
}

static int take_number(const reading *r, const cli_option *o, const char *text, double *value)
{
    char *end, expected[80];
    double n = strtod(text, &end);
    if (text[0] >= '0' && text[0] <= '9' && !*end && !strchr(text, 'x') && n >= (double)o->min &&
        n <= (double)o->max) {
        *value = n;
        return CLI_OK;
    }
    snprintf(expected, sizeof expected, "a number from %lld to %lld", (long long)o->min, (long long)o->max);
    return bad_value(r, o, text, expected);
}

static int take_budget(const reading *r, const cli_option *o, const char *text, cli_budget *budget)
{
    static const char expected[] = "a number of bad samples such as 10, or a share of them such as 0.5%";
    char *end;
    errno = 0;
    *budget = (cli_budget){0};
    if (text[0] < '0' || text[0] > '9' || strchr(text, 'x'))
        return bad_value(r, o, text, expected);
    double n = strtod(text, &end);
    bool share = !strcmp(end, "%");
    if ((*end && !share) || !isfinite(n) || (share && n > 100) || (!share && (n != floor(n) || n > 9e15)))
        return bad_value(r, o, text, expected);
    if (n == 0)
        return cli_usage(r->command, "--%s %s allows no bad sample at all: use --on-error fail for that",
                         o->name, text);
    if (share)
        budget->fraction = n / 100;
    else
        budget->count = (int64_t)n;
    return CLI_OK;
}

static int take_value(const reading *r, const cli_option *o, const char *text)
{
    void *value = r->args + o->offset;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)value = true;
        return CLI_OK;
    case CLI_CHOICE:
    case CLI_MAYBE:
    case CLI_NAME:
        return take_choice(r, o, text, value);
    case CLI_TEXT:
        *(const char **)value = text;
        return CLI_OK;
    case CLI_COUNT:
        return take_count(r, o, text, value);
    case CLI_NUMBER:
        return take_number(r, o, text, value);
    case CLI_SIZE:
        return cli_size_parse(text, value) ? CLI_OK
                                           : bad_value(r, o, text, "a size such as 64M, 1.5GiB or 200MB");
    case CLI_BUDGET:
        return take_budget(r, o, text, value);
    }
    return CLI_USAGE;
}

/* ---- words ---- */

/* The next word is its value only if it can be one: it may as well be an operand. */
static int take_maybe(reading *r, const cli_option *o)
{
    void *value = r->args + o->offset;
    if (r->at + 1 < r->nwords && is_choice(o->choices, r->words[r->at + 1], strlen(r->words[r->at + 1])))
        return take_value(r, o, r->words[++r->at]);
    *(const char **)value = "";
    return CLI_OK;
}

static int take_option(reading *r, const cli_option *o, const char *word, const char *attached)
{
    if (o->kind == CLI_FLAG && attached)
        return cli_usage(r->command, "--%s takes no value, so \"%s\" is too much", o->name, word);
    if (o->kind == CLI_FLAG)
        return take_value(r, o, NULL);
    if (o->kind == CLI_MAYBE && !attached)
        return take_maybe(r, o);
    if (!attached && r->at + 1 >= r->nwords)
        return cli_usage(r->command, "%s needs a value: %s", word, o->value);
    return take_value(r, o, attached ? attached : r->words[++r->at]);
}

static int take_long(reading *r, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const cli_option *o = find(r->command, word + 2, n);
    return o ? take_option(r, o, word, equals ? equals + 1 : NULL) : unknown(r, word);
}

static int take_letters(reading *r, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const cli_option *o = NULL;
        for (int i = 0; i < r->command->noptions; i++)
            if (r->command->options[i].letter == *letter)
                o = &r->command->options[i];
        if (!o)
            return unknown(r, word);
        if (o->kind != CLI_FLAG)
            return take_option(r, o, word, letter[1] ? letter + 1 : NULL);
        take_value(r, o, NULL);
    }
    return CLI_OK;
}

static int check_operands(const reading *r, const cli_operands *operands)
{
    const cli_command *c = r->command;
    if (operands->n < c->fewest_operands)
        return cli_usage(c, "%s needs SPEC: a file, folder, glob, braces or @list", c->name);
    if (c->most_operands >= 0 && operands->n > c->most_operands)
        return cli_usage(c, "%s takes %s; \"%s\" is too much", c->name,
                         c->most_operands ? c->operands : "no operands", operands->words[c->most_operands]);
    return CLI_OK;
}

static bool asks_for_help(int nwords, char **words)
{
    for (int i = 0; i < nwords && strcmp(words[i], "--") != 0; i++)
        if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h"))
            return true;
    return false;
}

int cli_parse(const cli_command *command, int nwords, char **words, void *args, bool *help)
{
    reading r = {.command = command, .args = args, .nwords = nwords, .words = words};
    cli_operands *operands = args;
    operands->words = words; /* operands move to the front */
    *help = asks_for_help(nwords, words);
    if (*help)
        return CLI_OK;
    bool ended = false;
    int code = CLI_OK;
    for (; r.at < nwords && !code; r.at++) {
        char *word = words[r.at];
        if (ended || word[0] != '-' || !word[1])
            words[operands->n++] = word;
        else if (!strcmp(word, "--"))
            ended = true;
        else
            code = word[1] == '-' ? take_long(&r, word) : take_letters(&r, word);
    }
    return code ? code : check_operands(&r, operands);
}
