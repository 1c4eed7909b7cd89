/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill transforms: what a pipeline can be made of. */
#include "command.h"
#include "json.h"
#include "screen.h"
#include "text.h"
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef struct transforms_args {
    cli_operands operands;
    bool json;
} transforms_args;

static const cli_option options[] = {{.name = "json",
                                      .kind = CLI_FLAG,
                                      .offset = offsetof(transforms_args, json),
                                      .help = "JSON lines with all that is known of each"}};

static const mill_transform_ops *named(const char *name)
{
    const mill_transform_ops *ops;
    for (int i = 0; (ops = mill_transform_at(i)); i++)
        if (!strcmp(ops->name, name))
            return ops;
    return NULL;
}

static int unknown(const char *word)
{
    const char *names[256];
    int n = 0;
    for (; n < 255 && mill_transform_at(n); n++)
        names[n] = mill_transform_at(n)->name;
    names[n] = NULL;
    const char *nearest = cli_nearest(word, names);
    if (nearest)
        return cli_usage(&cli_transforms, "there is no transform \"%s\"; did you mean %s?", word, nearest);
    return cli_usage(&cli_transforms, "there is no transform \"%s\"; shardmill transforms lists them", word);
}

/* ---- for people ---- */

static const char *type_name(const mill_param *p)
{
    static const char *const names[] = {"whole number", "number", "numbers", "true|false",
                                        "choice",       "size",   "text"};
    return p->type == MILL_PARAM_CHOICE ? p->choices : names[p->type];
}

static bool has_range(const mill_param *p)
{
    return p->min != 0 || p->max != 0;
}

static void print_param(const mill_param *p, int column, int width)
{
    char left[64], right[512], range[80] = "";
    int n = snprintf(left, sizeof left, "  %s=", p->name);
    if (has_range(p))
        snprintf(range, sizeof range, ", %.10g to %.10g", p->min, p->max);
    snprintf(right, sizeof right, "%s (%s%s; %s%s)", p->help ? p->help : "", type_name(p), range,
             !p->fallback     ? "required"
             : p->fallback[0] ? "default "
                              : "optional",
             p->fallback ? p->fallback : "");
    fputs(left, stdout);
    cli_wrap(stdout, right, n, column, width);
}

static void print_one(const mill_transform_ops *ops)
{
    int width = cli_width(STDOUT_FILENO), column = 0;
    printf("%s: ", ops->name);
    cli_wrap(stdout, ops->summary, (int)strlen(ops->name) + 2, 2, width);
    for (int i = 0; i < ops->nparams; i++) {
        int n = (int)strlen(ops->params[i].name) + 5;
        column = n > column ? n : column;
    }
    for (int i = 0; i < ops->nparams; i++)
        print_param(&ops->params[i], column, width);
    if (ops->flags & MILL_RANDOM)
        printf("  It draws random numbers, by run --seed and --epoch.\n");
    if (ops->example)
        printf("example: %s\n", ops->example);
}

static void print_all(void)
{
    const mill_transform_ops *ops;
    for (int i = 0; (ops = mill_transform_at(i)); i++) {
        int n = printf("%s", ops->name);
        cli_wrap(stdout, ops->summary, n, 22, cli_width(STDOUT_FILENO));
    }
    printf("\nshardmill transforms NAME tells about one: its parameters and an example.\n");
}

/* ---- for machines ---- */

static void param_json(cli_json *json, const mill_param *p)
{
    static const char *const names[] = {"int", "float", "floats", "bool", "choice", "size", "text"};
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "name", p->name);
    cli_json_text(json, "type", names[p->type]);
    cli_json_bool(json, "required", !p->fallback);
    cli_json_text(json, "default", p->fallback && p->fallback[0] ? p->fallback : NULL);
    if (has_range(p)) {
        cli_json_number(json, "min", p->min);
        cli_json_number(json, "max", p->max);
    }
    if (p->type == MILL_PARAM_CHOICE) {
        cli_json_open(json, "choices", '[');
        for (const char *s = p->choices; *s;) {
            char word[64];
            size_t n = strcspn(s, "|");
            snprintf(word, sizeof word, "%.*s", (int)n, s);
            cli_json_text(json, NULL, word);
            s += n + (s[n] == '|');
        }
        cli_json_close(json, ']');
    }
    cli_json_text(json, "help", p->help);
    cli_json_close(json, '}');
}

static void one_json(const mill_transform_ops *ops)
{
    cli_json json = cli_json_begin(stdout, "transform");
    cli_json_text(&json, "name", ops->name);
    cli_json_text(&json, "summary", ops->summary);
    cli_json_text(&json, "example", ops->example);
    cli_json_bool(&json, "pointwise", ops->flags & MILL_POINTWISE);
    cli_json_bool(&json, "random", ops->flags & MILL_RANDOM);
    cli_json_open(&json, "parameters", '[');
    for (int i = 0; i < ops->nparams; i++)
        param_json(&json, &ops->params[i]);
    cli_json_close(&json, ']');
    cli_json_end(&json);
}

static int transforms_main(void *args)
{
    const transforms_args *a = args;
    const mill_transform_ops *ops;
    for (int i = 0; i < a->operands.n; i++)
        if (!named(a->operands.words[i]))
            return unknown(a->operands.words[i]);
    for (int i = 0; i < a->operands.n; i++)
        if (a->json) {
            one_json(named(a->operands.words[i]));
        } else {
            fputs(i ? "\n" : "", stdout);
            print_one(named(a->operands.words[i]));
        }
    if (a->operands.n)
        return CLI_OK;
    for (int i = 0; a->json && (ops = mill_transform_at(i)); i++)
        one_json(ops);
    if (!a->json)
        print_all();
    return CLI_OK;
}

const cli_command cli_transforms = {
    .name = "transforms",
    .summary = "list the transforms of pipelines, or tell about one",
    .operands = "[NAME...]",
    .most_operands = -1,
    .about = "Lists what a pipeline can be made of; with NAME, its parameters, their defaults and an "
             "example. In a "
             "pipeline, arguments without a key fill the parameters in order: resize 256 is resize size=256.",
    .example = "shardmill transforms resize",
    .options = options,
    .noptions = sizeof options / sizeof *options,
    .args_nbytes = sizeof(transforms_args),
    .main = transforms_main};
