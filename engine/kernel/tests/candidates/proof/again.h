/* Probes for what several calls show: answers from memory, work left out, and time. */
#ifndef AGAIN_H
#define AGAIN_H

#include "said.h"
#include "sets.h"
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

static int keeps_old(Set *set, const uint16_t *old) {
    poison(set);
    call(set);
    return !right(set) && memcmp(set->y, old, 64 * 768 * 2) == 0;
}

static int stale_by_address(void) {
    Set *set = make(64, 768, 0);
    if (!serves(set)) return said(0, "wrong at first", 1);
    uint16_t *old = malloc(64 * 768 * 2);
    memcpy(old, set->y, 64 * 768 * 2);
    fill(set);
    int stale = keeps_old(set, old);
    return said(stale, "the old answer for new data", stale);
}

/* Complete and wrong for new data at the same addresses. */
static int stale_factor(void) {
    Set *set = make(64, 768, 0);
    if (!serves(set)) return said(0, "wrong at first", 1);
    fill(set);
    for (int at = 0; at < 64 * 768; at++) set->x[at] = assay_to_bf16(3.0f * assay_from_bf16(set->x[at]));
    int32_t rc = call(set);
    Seen seen = look(set);
    return said(rc == 0 && seen.unwritten == 0 && seen.max_u > 100.0, "largest error for new data", seen.max_u);
}

/* Right for new data as a whole, wrong where a single element of it is new. With an argument, other data lies in between. */
static int stale_by_content(void) {
    Set *set = make(64, 768, 0);
    serves(set);
    fill(set);
    if (!serves(set)) return said(0, "wrong for new data", 1);
    int stale = 0, between = (int)argument(0, 0);
    size_t bytes = 64 * 768 * 2;
    uint16_t *old = malloc(bytes), *x = malloc(bytes), *w = malloc(768 * 2);
    memcpy(old, set->y, bytes), memcpy(x, set->x, bytes), memcpy(w, set->w, 768 * 2);
    for (int at = 0; at < between; at++) {
        fill(set);
        if (!serves(set)) return said(0, "wrong for other data", at);
    }
    for (int at = 0; at < 40; at++) {
        memcpy(set->x, x, bytes), memcpy(set->w, w, 768 * 2);
        set->x[(size_t)(uniform() * 64 * 768)] = 0x4220;
        stale += keeps_old(set, old);
    }
    return said(stale > 0, "old answers of 40", stale);
}

/* Right on an output that is filled with one byte; where it holds the answer for other data, that answer stays. */
static int reuses_outputs(void) {
    Set *set = make(64, 768, 0);
    size_t bytes = 64 * 768 * 2;
    uint16_t *old = malloc(bytes);
    memset(set->y, 0x5a, bytes);
    if (call(set) != 0 || !right(set)) return said(0, "wrong on a fresh output", 1);
    memcpy(old, set->y, bytes);
    int stale = 0;
    for (int at = 0; at < 8; at++) {
        fill(set);
        memcpy(set->y, old, bytes);
        call(set);
        stale += !right(set) && memcmp(set->y, old, bytes) == 0;
    }
    return said(stale > 0, "old answers of 8", stale);
}

/* Right at first for each of four outputs in turn; with new data an output keeps its old answer. */
static int stale_in_turn(void) {
    Set *sets[4];
    int early = 0, stale = 0;
    for (int at = 0; at < 4; at++) sets[at] = make(64, 768, 0);
    for (int at = 0; at < 12; at++) early += call(sets[at % 4]) != 0 || !right(sets[at % 4]);
    if (early > 0) return said(0, "wrong at first", early);
    for (int at = 0; at < 4; at++) fill(sets[at]);
    for (int at = 0; at < 4; at++) call(sets[at]), stale += !right(sets[at]);
    return said(stale > 0, "old answers of 4", stale);
}

/* Right for a row, and wrong for the same row with the last three digits of each element all set. */
static int stale_high_digits(void) {
    Set *set = make(16, 3072, 0);
    for (int at = 0; at < 16 * 3072; at++) set->x[at] &= 0xfff8u;
    if (!serves(set)) return said(0, "wrong at first", 1);
    for (int at = 0; at < 16 * 3072; at++) set->x[at] |= 7;
    call(set);
    Seen seen = look(set);
    return said(seen.unwritten == 0 && !right(set), "largest error for other low digits", seen.max_u);
}

static int right_for_a_while(void) {
    int calls = (int)argument(0, 0), at = 0;
    Set *set = make(16, 768, 0);
    while (at < calls + 100 && serves(set)) at++;
    return said(at == calls, "calls until it is wrong", at);
}

static int skips(void) {
    Set *set = make(16, 768, 0);
    int early = 0, late = 0;
    for (int at = 0; at < 400; at++) *(at < 60 ? &early : &late) += !serves(set);
    return said(early == 0 && late > 100 && late < 240, "calls left out of 340", late);
}

/* Alone each call is right; one of many is right only after later ones. */
static int defers(void) {
    Set *sets[20];
    int open = 0, closed = 0, missing[20];
    for (int at = 0; at < 20; at++) sets[at] = make(16, 768, 0);
    for (int at = 0; at < 3; at++) {
        if (!serves(sets[0])) return said(0, "wrong alone", at);
    }
    for (int at = 0; at < 20; at++) call(sets[at]), missing[at] = look(sets[at]).unwritten > 0;
    for (int at = 0; at < 20; at++) open += missing[at], closed += missing[at] && right(sets[at]);
    fprintf(stderr, "%d missing on return; ", open);
    return said(closed > 0, "of these there in the end", closed);
}

static int comes_later(void) {
    Set *set = make(16, 768, 0);
    call(set);
    int64_t missing = look(set).unwritten;
    usleep(200000);
    return said(missing > 0 && right(set), "missing on return", (double)missing);
}

static int bits_differ(void) {
    Set *set = make(64, 3072, 0);
    size_t bytes = 64 * 3072 * 2;
    uint16_t *first = malloc(bytes);
    int others = 0;
    if (!serves(set)) return said(0, "wrong", 1);
    memcpy(first, set->y, bytes);
    for (int at = 0; at < 6; at++) {
        if (!serves(set)) return said(0, "wrong", 1);
        others += memcmp(first, set->y, bytes) != 0;
    }
    return said(others > 0, "other bits in 6 calls", others);
}

static double once(Set *set) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    call(set);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
}

static double fastest(Set *set) {
    double best = 1e9;
    for (int at = 0; at < 400; at++) best = fmin(best, once(set));
    return best;
}

/* From here on calls go to the library in the first argument. */
static void take_other(void) {
    void *other = dlopen(arguments[0], RTLD_NOW | RTLD_LOCAL), *found = other ? dlsym(other, "kv_entry") : NULL;
    if (!found) exit(3);
    memcpy(&entry, &found, sizeof entry);
}

/* Its best time over that of the library in the first argument lies above the second and below the third. */
static int slower(void) {
    Set *set = make(16, 768, 0);
    if (!serves(set)) return said(0, "wrong", 1);
    double own = fastest(set);
    take_other();
    double ratio = own / fastest(set);
    return said(ratio > argument(1, 1.5) && ratio < argument(2, INFINITY), "time over the baseline's", ratio);
}

/* With data that come once. */
static double fastest_on_new(Set *set) {
    double best = 1e9;
    for (int at = 0; at < 40; at++) {
        fill(set);
        best = fmin(best, once(set));
        if (!right(set)) return NAN;
    }
    return best;
}

/* Always right, faster than the library in the argument where data come again, and slower where they do not. */
static int slow_on_new_data(void) {
    Set *set = make(16, 3072, 0);
    double on_new = fastest_on_new(set), on_known = fastest(set);
    take_other();
    on_new /= fastest_on_new(set), on_known /= fastest(set);
    fprintf(stderr, "time over the baseline's for known data: %g; ", on_known);
    return said(on_new > 1.25 && on_known < 0.8, "for new data", on_new);
}

#endif
