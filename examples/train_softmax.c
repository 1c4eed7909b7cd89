/* SPDX-License-Identifier: Apache-2.0 */
/* A training job: multinomial logistic regression on photographs. The loader makes batches on its threads
 * while this program computes the step: the two products by OpenBLAS, the rest by its own OpenMP loops.
 *
 *   train_softmax [--data SPEC] [--epochs N] [--checkpoint FILE [--resume] [--stop-after N]] [--threads N]
 *
 * A checkpoint holds the weights and where the loader is, so that a job that was stopped between any two
 * batches goes on as if it had not been: to the same loss, bit for bit. For that to be true every sum must be
 * made in one order:
 *   - the loader gives the same batches for any number of its threads;
 *   - the loops below work on elements, or rows, that nobody else touches, and the loss is summed by one
 * thread;
 *   - OpenBLAS may cut a sum in other places with another number of threads, or on another kind of CPU: so it
 * is told how many to use (one is plenty for products as small as these), and that is all that can be
 * promised.
 *
 * cc train_softmax.c -fopenmp $(pkg-config --cflags --libs shardmill openblas) -lm */
#include <cblas.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <shardmill/shardmill.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIDE = 24, PIXELS = 3 * SIDE * SIDE, CLASSES = 4, BATCH = 16 };

static const char pipeline_text[] = "decode orient=true | resize 24x24 | normalize imagenet | layout chw";

typedef struct options {
    char data[1024];
    const char *checkpoint;
    int epochs, threads;
    long stop_after; /* batches of this process; 0: never */
    bool resume;
} options;

/* ---- the model ---- */

/* All that a checkpoint holds, but for the loader's state: plain numbers, in this machine's form. */
typedef struct model {
    float weights[CLASSES * PIXELS], bias[CLASSES];
    double loss_sum; /* over the rows of the epoch so far */
    int64_t correct, rows;
} model;

/* What one step needs. */
typedef struct scratch {
    float scores[BATCH * CLASSES], gradient[CLASSES * PIXELS];
    double losses[BATCH];
    bool right[BATCH];
} scratch;

/* scores: in, what the model says of one row; out, the loss's derivative. Answers the loss. */
static double softmax_row(float *scores, int64_t label, bool *right)
{
    int best = 0;
    double sum = 0, p[CLASSES];
    for (int c = 1; c < CLASSES; c++)
        best = scores[c] > scores[best] ? c : best;
    double most = scores[best];
    for (int c = 0; c < CLASSES; c++)
        sum += p[c] = exp(scores[c] - most);
    for (int c = 0; c < CLASSES; c++)
        scores[c] = (float)(p[c] / sum - (c == label));
    *right = best == label;
    return log(sum) - (log(p[label]));
}

/* One step on n rows of PIXELS numbers: the batch's memory as it is, nothing is copied. */
static void train_step(model *m, scratch *s, const float *images, const int64_t *labels, const uint8_t *mask,
                       int n)
{
    const float rate = 0.01f, decay = 0.001f;
    /* scores (n x CLASSES) = images (n x PIXELS) * weights' (PIXELS x CLASSES) */
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, CLASSES, PIXELS, 1, images, PIXELS, m->weights,
                PIXELS, 0, s->scores, CLASSES);
#pragma omp parallel for
    for (int i = 0; i < n; i++) {
        float *row = &s->scores[(ptrdiff_t)i * CLASSES];
        bool good = mask[i] && labels[i] >= 0 && labels[i] < CLASSES;
        for (int c = 0; c < CLASSES; c++)
            row[c] += m->bias[c];
        s->losses[i] = good ? softmax_row(row, labels[i], &s->right[i]) : 0;
        if (!good) /* rows that are padding, or whose sample was bad, teach nothing */
            memset(row, 0, CLASSES * sizeof *row);
        s->right[i] = good && s->right[i];
    }
    /* gradient (CLASSES x PIXELS) = derivatives' (CLASSES x n) * images (n x PIXELS) / n */
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, CLASSES, PIXELS, n, 1 / (float)n, s->scores, CLASSES,
                images, PIXELS, 0, s->gradient, PIXELS);
#pragma omp parallel for
    for (int k = 0; k < CLASSES * PIXELS; k++)
        m->weights[k] -= rate * (s->gradient[k] + decay * m->weights[k]);
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < CLASSES; c++)
            m->bias[c] -= rate * s->scores[i * CLASSES + c] / (float)n;
        m->loss_sum += s->losses[i];
        m->correct += s->right[i];
        m->rows += mask[i];
    }
}

/* ---- the checkpoint ---- */

typedef struct checkpoint {
    char magic[16], state[MILL_STATE_NBYTES];
    model model;
} checkpoint;

static const char magic[16] = "train_softmax 1";

/* Under another name first: a job that is killed while it writes leaves the old checkpoint as it was. */
static bool save(const char *path, const model *m, mill_loader *loader)
{
    static checkpoint c; /* zeros behind the state's text: equal states are equal bytes */
    char temporary[1100];
    memcpy(c.magic, magic, sizeof magic);
    c.model = *m;
    if (mill_loader_state(loader, c.state, NULL))
        return false;
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *f = fopen(temporary, "wb");
    bool good = f && fwrite(&c, sizeof c, 1, f) == 1 && !fflush(f) && !fsync(fileno(f));
    good = f && !fclose(f) && good && !rename(temporary, path);
    if (!good)
        fprintf(stderr, "train_softmax: cannot write %s: %s\n", path, strerror(errno));
    return good;
}

static bool restore(const char *path, model *m, char state[MILL_STATE_NBYTES])
{
    static checkpoint c;
    FILE *f = fopen(path, "rb");
    bool good = f && fread(&c, sizeof c, 1, f) == 1 && !memcmp(c.magic, magic, sizeof magic);
    if (f)
        fclose(f);
    if (!good) {
        fprintf(stderr, "train_softmax: %s is no checkpoint of this program\n", path);
        return false;
    }
    *m = c.model;
    memcpy(state, c.state, MILL_STATE_NBYTES);
    return true;
}

/* ---- training ---- */

static volatile sig_atomic_t told_to_stop; /* by a batch system, that wants the node for somebody else */

static void on_signal(int number)
{
    told_to_stop = number;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static mill_status learn(model *m, const mill_batch *b, mill_error *err)
{
    static scratch s;
    mill_tensor image, label, mask;
    mill_status status = mill_batch_field(b, "image", &image, err);
    if (!status)
        status = mill_batch_field(b, "label", &label, err);
    if (!status)
        status = mill_batch_field(b, "mask", &mask, err);
    if (!status)
        train_step(m, &s, image.data, label.data, mask.data, (int)image.n);
    return status;
}

static void report(model *m, int64_t epoch, int64_t rows, double took, double waited)
{
    double loss = m->loss_sum / (double)(m->rows ? m->rows : 1);
    printf("epoch %2lld  loss %.6f (%a)  accuracy %5.1f %%  %6.0f samples/s  waited %4.1f %%\n",
           (long long)epoch, loss, loss, 100.0 * (double)m->correct / (double)(m->rows ? m->rows : 1),
           (double)rows / took, 100 * waited / took);
    fflush(stdout);
    m->loss_sum = 0;
    m->correct = m->rows = 0;
}

/* MILL_END: all epochs are done. MILL_CANCELED: stopped before, on request. */
static mill_status train(model *m, mill_loader *loader, const options *o, mill_error *err)
{
    double begin = seconds(), waited = 0;
    int64_t rows = 0;
    for (long batches = 0;;) {
        mill_batch *b;
        double asked = seconds();
        mill_status status = mill_loader_next(loader, &b, err);
        waited += seconds() - asked;
        if (status == MILL_END) {
            mill_loader_stats stats;
            mill_loader_stats_get(loader, &stats);
            report(m, stats.epoch, rows, seconds() - begin, waited);
            if (o->checkpoint && !save(o->checkpoint, m, loader))
                return mill_fail(err, MILL_IO, "io", "no checkpoint");
            if (stats.epoch >= o->epochs)
                return MILL_END;
            begin = seconds();
            waited = 0;
            rows = 0;
            continue;
        }
        if (!status) {
            rows += mill_batch_size(b);
            status = learn(m, b, err);
            mill_batch_release(b);
        }
        if (status)
            return status;
        if (told_to_stop || ++batches == o->stop_after)
            return MILL_CANCELED;
    }
}

static mill_status open_loader(mill_loader **loader, const options *o, const char *state, mill_error *err)
{
    mill_loader_options lo = mill_loader_options_default();
    lo.batch_size = BATCH;
    lo.epochs = o->epochs;
    lo.shuffle = MILL_SHUFFLE_WINDOW;
    lo.run.seed = 2026;
    lo.run.threads = o->threads; /* 0: as OMP_NUM_THREADS says */
    lo.state = state;
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_parse(p, pipeline_text, err);
    if (!status)
        status = mill_loader_open(loader, o->data, p, &lo, err);
    mill_pipeline_free(p);
    return status;
}

static int run(const options *o)
{
    static model m; /* zeros are a fine beginning for this model */
    char state[MILL_STATE_NBYTES];
    mill_loader *loader = NULL;
    mill_error err;
    if (o->resume && !restore(o->checkpoint, &m, state))
        return 1;
    mill_status status = open_loader(&loader, o, o->resume ? state : NULL, &err);
    mill_loader_stats stats = {0};
    if (!status)
        mill_loader_stats_get(loader, &stats);
    if (!status && stats.epoch >= o->epochs)
        printf("all %d epochs are done\n", o->epochs);
    else if (!status)
        status = train(&m, loader, o, &err);
    if (status == MILL_CANCELED && o->checkpoint && save(o->checkpoint, &m, loader))
        printf("stopped; --resume goes on from %s\n", o->checkpoint);
    mill_loader_close(loader);
    if (status == MILL_CANCELED)
        return told_to_stop ? 75 : 0;
    if (status && status != MILL_END)
        fprintf(stderr, "train_softmax: %s %s: %s\n", err.shard, err.key, err.message);
    return status && status != MILL_END;
}

/* ---- the command line ---- */

static bool parse(options *o, int argc, char **argv)
{
    static const struct option words[] = {{"data", required_argument, NULL, 'd'},
                                          {"epochs", required_argument, NULL, 'e'},
                                          {"checkpoint", required_argument, NULL, 'c'},
                                          {"resume", no_argument, NULL, 'r'},
                                          {"stop-after", required_argument, NULL, 's'},
                                          {"threads", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    for (int word; (word = getopt_long(argc, argv, "", words, NULL)) != -1;) {
        if (word == 'd')
            snprintf(o->data, sizeof o->data, "%s", optarg);
        else if (word == 'e')
            o->epochs = atoi(optarg);
        else if (word == 'c')
            o->checkpoint = optarg;
        else if (word == 'r')
            o->resume = true;
        else if (word == 's')
            o->stop_after = atol(optarg);
        else if (word == 't')
            o->threads = atoi(optarg);
        else
            return false;
    }
    return optind == argc && o->epochs > 0 && (o->checkpoint || !(o->resume || o->stop_after));
}

/* Without --data: the demo data of the repository, if this is run in it or SRC names it. */
static bool find_data(options *o)
{
    const char *top = getenv("SRC");
    char first[1024];
    if (o->data[0])
        return true;
    snprintf(first, sizeof first, "%s%sdata/demo/train-000000.tar", top ? top : "", top ? "/" : "");
    snprintf(o->data, sizeof o->data, "%s%sdata/demo/train-{000000..000003}.tar", top ? top : "",
             top ? "/" : "");
    return !access(first, R_OK);
}

int main(int argc, char **argv)
{
    options o = {.epochs = 10};
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: train_softmax [--data SPEC] [--epochs N] [--checkpoint FILE [--resume] "
                        "[--stop-after N]] [--threads N]\n");
        return 2;
    }
    if (!find_data(&o)) {
        printf("nothing was trained: there is no %s here; name the data by --data SPEC\n", o.data);
        return 0;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    openblas_set_num_threads(1);
    return run(&o);
}
