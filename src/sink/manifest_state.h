/* SPDX-License-Identifier: Apache-2.0 */
/* sink/manifest_state.h: what manifest.c and manifest_load.c share. */
#ifndef MILL_SINK_MANIFEST_STATE_H
#define MILL_SINK_MANIFEST_STATE_H

#include "sink/journal.h"
#include "sink/sink.h"

#define MILL__MANIFEST_NAME    "manifest.json"
#define MILL__MANIFEST_VERSION 1

/* A shard that an earlier run finished. */
typedef struct mill__record {
    uint64_t hash;   /* of its name as it stands in the line */
    mill__line line; /* empty while loading: what was said before is taken back */
    bool settled;    /* kept, or being made anew, in this run */
} mill__record;

struct mill__manifest {
    char *folder, *path;
    char *settings; /* as compact JSON */
    mill__journal *journal;
    mill__record *loaded; /* sorted by hash, one of each; fixed once the manifest is open */
    size_t nloaded, loaded_capacity;
    mill__line *added; /* by index in the data set; empty: not yet */
    size_t nadded;
    bool resumed; /* there was a manifest, of a run that did not complete */
    bool found;   /* there was a manifest */
    bool saved;   /* manifest.json says all that the journal does */
    int64_t synced_ns;
};

uint64_t mill__record_hash(const char *name); /* of a name as it stands in a line */
/* manifest_load.c: what the folder knows already, into the journal of this run. */
mill_status mill__manifest_load(mill__manifest *m, mill_error *err);

#endif
