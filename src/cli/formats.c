/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill formats: what can be read and written, and where from. */
#include "command.h"
#include "json.h"
#include "screen.h"
#include "text.h"
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef struct formats_args {
    cli_operands operands;
    bool json;
} formats_args;

static const cli_option options[] = {
    {.name = "json", .kind = CLI_FLAG, .offset = offsetof(formats_args, json), .help = "JSON lines"}};

static void print_row(const char *name, const char *summary, const char *extensions)
{
    char text[400];
    int n = printf("  %s", name);
    snprintf(text, sizeof text, "%s%s%s%s", summary ? summary : "", extensions[0] ? " (" : "", extensions,
             extensions[0] ? ")" : "");
    cli_wrap(stdout, text, n, 12, cli_width(STDOUT_FILENO));
}

static void print_kind(const char *kind, const char *heading)
{
    mill_format_info info;
    printf("%s\n", heading);
    for (int i = 0; mill_format_at(i, &info); i++)
        if (!strcmp(info.kind, kind))
            print_row(info.name, info.summary, info.extensions);
}

static void print_all(void)
{
    const mill_source_ops *source;
    print_kind("shard format",
               "shard formats, read by run and inspect (--format NAME[:ARGUMENT...], else by extension):");
    print_kind("sink", "\nsinks, written by run (--as NAME):");
    printf("\nsources, where shards come from:\n");
    for (int i = 0; (source = mill_source_at(i)); i++)
        print_row(source->name, source->summary, "");
}

static void row_json(const char *type, const char *name, const char *summary)
{
    cli_json json = cli_json_begin(stdout, type);
    cli_json_text(&json, "name", name);
    cli_json_text(&json, "summary", summary);
    cli_json_end(&json);
}

static void format_json(const mill_format_info *info)
{
    cli_json json = cli_json_begin(stdout, "format");
    cli_json_text(&json, "name", info->name);
    cli_json_text(&json, "summary", info->summary);
    cli_json_open(&json, "extensions", '[');
    for (const char *s = info->extensions; *s; s += strspn(s, " ")) {
        char word[32];
        size_t n = strcspn(s, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        cli_json_text(&json, NULL, word);
        s += n;
    }
    cli_json_close(&json, ']');
    cli_json_end(&json);
}

static void all_json(void)
{
    mill_format_info info;
    const mill_source_ops *source;
    for (int i = 0; mill_format_at(i, &info); i++)
        if (!strcmp(info.kind, "sink"))
            row_json("sink", info.name, info.summary);
        else
            format_json(&info);
    for (int i = 0; (source = mill_source_at(i)); i++)
        row_json("source", source->name, source->summary);
}

static int formats_main(void *args)
{
    const formats_args *a = args;
    if (a->json)
        all_json();
    else
        print_all();
    return CLI_OK;
}

const cli_command cli_formats = {.name = "formats",
                                 .summary = "list the shard formats, sinks and sources",
                                 .operands = "",
                                 .about =
                                     "Lists what shards can be read, what can be written, and where shards "
                                     "come from.",
                                 .example = "shardmill formats",
                                 .options = options,
                                 .noptions = sizeof options / sizeof *options,
                                 .args_nbytes = sizeof(formats_args),
                                 .main = formats_main};
