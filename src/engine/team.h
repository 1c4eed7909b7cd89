/* SPDX-License-Identifier: Apache-2.0 */
/* engine/team.h: a team of compute threads, and the units of work that it takes up. A unit is a walk, which
 * one thread does, and then chunks, which any threads do at once. Whoever owns the team hands out units. */
#ifndef MILL_ENGINE_TEAM_H
#define MILL_ENGINE_TEAM_H

#include <pthread.h>
#include <shardmill/types.h>
#include <stdbool.h>

typedef struct mill__unit {
    int chunks; /* set by claim */
    int next_chunk;
    char token; /* what the tasks of the unit depend on */
    struct mill__unit *next;
} mill__unit;

/* All but walk and chunk are called with the owner's lock held. */
typedef struct mill__team_ops {
    bool (*can_claim)(void *self);
    mill__unit *(*claim)(void *self); /* the next unit to do, or NULL: none now */
    bool (*all_claimed)(void *self);  /* there will be none any more */
    void (*walk)(void *self, mill__unit *unit);
    void (*walk_end)(void *self, mill__unit *unit);
    void (*chunk)(void *self, mill__unit *unit, int chunk, int worker); /* worker: below threads */
    void (*chunk_end)(void *self, mill__unit *unit, int chunk);         /* the last one ends the unit */
} mill__team_ops;

typedef struct mill__team_config {
    const mill__team_ops *ops;
    void *self;
    pthread_mutex_t *lock; /* the owner's */
    pthread_cond_t *work;  /* the owner signals it when a unit can be claimed, or all are */
    pthread_cond_t *out;   /* the team signals it for the owner: see tell */
    int threads;
    const char *executor; /* "tasks" or "loop" */
    /* Called on each thread that has worked when all is done, lock not held; NULL: nothing to end there. */
    void (*leave)(void *self, int worker);
    struct mill__trace *trace;
} mill__team_config;

/* {0} before it is started. Members are the team's own, under the owner's lock. */
typedef struct mill__team {
    const mill__team_ops *ops;
    void *self;
    pthread_mutex_t *lock;
    pthread_cond_t *work, *out;
    bool tell; /* set by walk_end and chunk_end: signal out when the lock is free */
    int threads;
    const char *executor;
    void (*leave)(void *self, int worker);
    struct mill__trace *trace;
    int pending, running, away, calls, burst; /* see team.c */
    int64_t regions;                          /* times the parallel region was entered */
    mill__unit *walked, **walked_end;         /* loop executor: units with chunks to give out */
    bool *feeding;                            /* one a thread: inside feed() */
    bool *named;                              /* one a thread: the trace knows its name */
    bool serving;                             /* a driver works for this team */
} mill__team;

mill_status mill__team_start(mill__team *team, const mill__team_config *config, mill_error *err);
/* Wait until the driver has let go, which it does when all_claimed; lock not held. */
void mill__team_end(mill__team *team);

/* What OpenMP grants the calling thread. */
int mill__team_max_threads(void);
/* Fills a cpu_set_t with the union of OpenMP's places and returns it; NULL: threads are not bound. */
const void *mill__team_cpus(void *cpu_set);

#endif
