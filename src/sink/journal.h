/* SPDX-License-Identifier: Apache-2.0 */
/* sink/journal.h: manifest.journal, the lines that a run adds to its folder while it goes. The manifest is
 * written whole, so it is written seldom; a line costs the same however many there are. The lines are read
 * back from the file when they are wanted, so that a data set of very many shards takes no memory for them.
 */
#ifndef MILL_SINK_JOURNAL_H
#define MILL_SINK_JOURNAL_H

#include <shardmill/types.h>
#include <stdbool.h>

typedef struct mill__journal mill__journal;

/* Where a line lies; nbytes without its end, 0: no line. */
typedef struct mill__line {
    uint64_t offset;
    size_t nbytes;
} mill__line;

/* Begin an empty one in folder, under a temporary name until it is published. An older one stays until then.
 */
mill_status mill__journal_create(mill__journal **j, const char *folder, mill_error *err);
/* Add a line: text holds no newline. where may be NULL. */
mill_status mill__journal_append(mill__journal *j, const char *text, mill__line *where, mill_error *err);
mill_status mill__journal_publish(mill__journal *j, mill_error *err);
mill_status mill__journal_sync(mill__journal *j, mill_error *err);
/* A line as a string, malloc'd; NULL without memory or when it cannot be read. Any thread. */
char *mill__journal_read(const mill__journal *j, mill__line line);
/* remove: it is of no more use. NULL is fine. */
void mill__journal_close(mill__journal *j, bool remove);

/* Visit the whole lines of the journal that an earlier run left in folder, in order, until visit answers
 * false: the last ones may be torn. No journal: none. */
mill_status mill__journal_replay(const char *folder, bool (*visit)(void *self, char *line), void *self,
                                 mill_error *err);

#endif
