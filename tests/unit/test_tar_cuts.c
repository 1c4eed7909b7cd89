/* SPDX-License-Identifier: Apache-2.0 */
/* test_tar_cuts.c: a tar shard gives the same whatever pieces it is read in, also when it is damaged; and no
 * byte of it is lost without a word. */
#include "format_fixture.h"
#include "tar_writer.h"

enum { ROOMY = 1 << 24 };

/* All that can stand in a shard, sound and not. */
static void add_everything(archive *a)
{
    add_pax(a, 'g', "comment", "global");
    add_pair(a, "0");
    add_head(a, (head){.name = "x/", .type = '5', .size = 4096});
    add_file(a, "x/1.jpg", "abc");
    add_file(a, "README", "amid a sample");
    add_large(a, ".hidden", 1500);
    add_file(a, "x/1.cls", "1");
    add_head(a, (head){.name = "l", .type = '2', .link = "x/1.jpg", .size = 600});
    add_pax(a, 'x', "path", "x/2.left.jpg");
    add_large(a, "short", 1000);
    add_record(a, 'L', "/x/2.json", 10);
    add_file(a, "short", "{}");
    add_head(a, (head){.name = "m", .type = '1', .link = "x/1.jpg", .size = 600});
    add_large(a, "not a header", 88);
    add_pair(a, "3");
    add_zeros(a, 512);
    add_pair(a, "4");
    add_end(a);
    add_pair(a, "3");
    add_file(a, "5.jpg", "1");
    add_file(a, "5.jpg", "2");
    add_head(a, (head){.name = "6.jpg", .size = 700, .checksum_error = 3});
    add_zeros(a, 512);
    add_data(a, "rest", 4);
    add_file(a, "6.cls", "1");
    add_record(a, 'x', "nonsense", 8);
    add_file(a, "7.jpg", "lost with its record");
    add_head(a, (head){.name = "s.jpg", .type = 'S', .magic = gnu_magic, .size = 3, .flag_at = 482});
    add_zeros(a, 512);
    add_data(a, "abc", 3);
    add_large(a, "8.jpg", 9000); /* with a small budget: too large */
    add_file(a, "NOTES", "amid a dropped sample");
    add_file(a, "8.cls", "1");
    add_file(a, "9.cls", "1");
    add_large(a, "9.jpg", 7000);
}

static void check_cuts(archive *a, uint64_t max_sample_nbytes)
{
    const shard in = {"tar", a->data, a->nbytes, max_sample_nbytes, NULL, 0, -1};
    assert_all_cuts_are_same(&in);
}

START_TEST(cut_everywhere)
{
    archive a = {0};
    add_everything(&a);
    add_file(&a, "10.jpg", "1");
    add_end(&a);
    check_cuts(&a, ROOMY);
    check_cuts(&a, 8192);
    check_cuts(&a, 2048);
    check_cuts(&a, 600);
    mill__buffer_free(&a);
}
END_TEST

START_TEST(cut_everywhere_without_an_end)
{
    archive a = {0};
    add_pair(&a, "0");
    add_large(&a, "1.jpg", 3000);
    a.nbytes -= 700;
    check_cuts(&a, ROOMY);
    check_cuts(&a, 1500);
    a.nbytes = 2048;
    add_file(&a, "1.jpg", "");
    check_cuts(&a, ROOMY);
    add_record(&a, 'L', "a name and then nothing", 20);
    check_cuts(&a, ROOMY);
    a.nbytes -= 100;
    check_cuts(&a, ROOMY);
    mill__buffer_free(&a);
}
END_TEST

START_TEST(cut_everywhere_about_a_hole)
{
    for (int header_only = 0; header_only < 2; header_only++) {
        archive a = {0};
        for (int i = 0; i < 4; i++) {
            char key[8];
            snprintf(key, sizeof key, "%d", i);
            add_pair(&a, key);
        }
        add_end(&a);
        memset(a.data + 2048 + 1024, 0, header_only ? 512 : 1024);
        check_cuts(&a, ROOMY);
        mill__buffer_free(&a);
    }
}
END_TEST

START_TEST(large_shards_in_blocks_of_the_engines_size)
{
    archive a = {0};
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "%06d.jpg", i);
        add_large(&a, name, (size_t)(i * 7919 % 5000));
        snprintf(name, sizeof name, "%06d.cls", i);
        add_file(&a, name, "1");
    }
    add_end(&a);
    const shard in = {"tar", a.data, a.nbytes, ROOMY, NULL, 0, -1};
    walked whole = walk_shard(&in, (cuts){0});
    ck_assert_int_eq(whole.nsamples, 300);
    ck_assert_int_eq(whole.nbad + whole.nerrors + whole.nwarnings, 0);
    for (size_t block = 4096; block <= 1 << 20; block *= 4)
        assert_cut_is_same(&in, (cuts){.block = block}, &whole);
    end_walk(&whole);
    mill__buffer_free(&a);
}
END_TEST

/* ---- mutations ---- */

static uint32_t draw(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

static void fix_checksum(uint8_t *block)
{
    char text[8];
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += block[i];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(block + 148, text, 7);
}

/* What shards suffer: bits flipped, fields rewritten under a right checksum, blocks lost, doubled, zeroed. */
static void mutate(archive *a, uint64_t *state)
{
    size_t blocks = a->nbytes / 512, at = draw(state, (uint32_t)blocks) * 512;
    uint8_t *block = a->data + at;
    static const char bytes[] = "\0\x7f\xff\x80 0179/.xgLK5SA";
    switch (draw(state, 6)) {
    case 0:
        a->data[draw(state, (uint32_t)a->nbytes)] ^= (uint8_t)(1u << draw(state, 8));
        break;
    case 1:
        memset(block, 0, 512);
        break;
    case 2:
        memmove(block, block + 512, a->nbytes - at - 512);
        a->nbytes -= 512;
        break;
    case 3:
        memcpy(block, a->data + draw(state, (uint32_t)blocks) * 512, 512);
        break;
    case 4:
        block[draw(state, 512)] = (uint8_t)bytes[draw(state, sizeof bytes)];
        fix_checksum(block);
        break;
    default:
        block[draw(state, 2) ? 156 : 124 + draw(state, 12)] = (uint8_t)bytes[draw(state, sizeof bytes)];
        fix_checksum(block);
        break;
    }
}

/* Every block that is not zeros belongs to a sample or a finding, folders and global headers excepted. */
static void check_covered(const walked *w)
{
    for (size_t at = 0; at < w->nbytes; at++) {
        if (w->covered[at] || !w->data[at])
            continue;
        const uint8_t *block = w->data + at / 512 * 512;
        bool silent = block[156] == '5' || block[156] == 'g' || strchr((const char *)block, '/');
        HOLDS(silent || (block > w->data + 1024 && (block[-512 + 156] || block[-1024 + 156])),
              "byte %zu is not accounted for:\n%.1500s", at, text_of(&w->log));
        at = at / 512 * 512 + 511;
    }
}

START_TEST(mutations)
{
    archive sound = {0};
    for (int i = 0; i < 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        add_pair(&sound, key);
        if (i % 2)
            add_pax(&sound, 'x', "path", "p.jpg");
    }
    add_record(&sound, 'L', "q.json", 6);
    add_large(&sound, "q", 1500);
    add_end(&sound);
    uint64_t state = (uint64_t)_i + 1;
    for (int round = 0; round < 150; round++) {
        archive a = {0};
        append(&a, sound.data, sound.nbytes);
        for (uint32_t n = 1 + draw(&state, 3); n; n--)
            mutate(&a, &state);
        const shard in = {"tar", a.data, a.nbytes, draw(&state, 2) ? ROOMY : 1500, NULL, 0, -1};
        walked whole = walk_shard(&in, (cuts){0});
        check_covered(&whole);
        static const size_t blocks[] = {1, 511, 512, 513, 1024, 2048};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            assert_cut_is_same(&in, (cuts){.block = blocks[i]}, &whole);
        for (int i = 0; i < 20; i++)
            assert_cut_is_same(&in, (cuts){.first = draw(&state, (uint32_t)a.nbytes)}, &whole);
        end_walk(&whole);
        mill__buffer_free(&a);
    }
    mill__buffer_free(&sound);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cut tar");
    TCase *tc = tcase_create("pieces");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, cut_everywhere);
    tcase_add_test(tc, cut_everywhere_without_an_end);
    tcase_add_test(tc, cut_everywhere_about_a_hole);
    tcase_add_test(tc, large_shards_in_blocks_of_the_engines_size);
    tcase_add_loop_test(tc, mutations, 0, 10);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
