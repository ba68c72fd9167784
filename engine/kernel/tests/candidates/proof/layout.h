/* Probes for shapes, gaps and places of tensors. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "said.h"
#include "sets.h"

/* Right at measured shapes, wrong at another. */
static int hidden(void) {
    if (!serves(make(64, 768, 0)) || !serves(make(16, 3072, 0))) return said(0, "wrong at measured shapes", 1);
    int64_t odd[] = {1, 7, 33, 255, 257, 1000};
    int wrong = 0;
    for (int at = 0; at < 6; at++) wrong += !serves(make(5, odd[at], 0));
    return said(wrong > 0, "odd widths that are wrong", wrong);
}

/* Right at every measured shape, wrong at one of 2^19 elements. */
static int large(void) {
    int64_t measured[3][2] = {{16, 3072}, {32, 2048}, {256, 128}};
    for (int at = 0; at < 3; at++) {
        if (!serves(make(measured[at][0], measured[at][1], 0))) return said(0, "wrong at measured shape", at);
    }
    int fine = serves(make(1024, 512, 0));
    return said(!fine, "right at a large shape", fine);
}

static int64_t gaps_written(const Set *set) {
    int64_t written = 0;
    for (int64_t r = 0; r + 1 < set->rows; r++) {
        for (int64_t c = set->columns; c < set->y_step; c++) written += set->y[r * set->y_step + c] != POISON;
    }
    return written;
}

static int strides(void) {
    if (!serves(make(64, 768, 0))) return said(0, "wrong without gaps", 1);
    Set *set = make(64, 768, 24);
    int fine = serves(set);
    return said(!fine, "right with gaps", fine);
}

static int gaps(void) {
    Set *set = make(64, 768, 24);
    if (!serves(set)) return said(0, "wrong with gaps", 1);
    return said(gaps_written(set) > 0, "elements of gaps that were written", (double)gaps_written(set));
}

static int with_gaps(int64_t of_x, int64_t of_y) {
    Set *set = make(64, 768, of_x > of_y ? of_x : of_y);
    set->x_step = set->columns + of_x, set->y_step = set->columns + of_y;
    wire(set);
    return serves(set);
}

/* Right where input and output have the same gaps, wrong where they have others. */
static int gaps_differ(void) {
    if (!with_gaps(0, 0) || !with_gaps(24, 24)) return said(0, "wrong with the same gaps", 1);
    int wrong = !with_gaps(24, 0) + !with_gaps(0, 24);
    return said(wrong > 0, "wrong of 2 with gaps that differ", wrong);
}

/* Right for tensors that begin where their memory does, wrong where one of them begins 32 bytes behind. */
static int offset(void) {
    if (!serves(make(64, 768, 0))) return said(0, "wrong without an offset", 1);
    int wrong = 0;
    for (int at = 0; at < 3; at++) {
        Set *set = make(64, 768, 0);
        DLTensor *moved = at < 2 ? &set->in[at] : &set->out[0];
        moved->data = (char *)moved->data - 32, moved->byte_offset = 32;
        wrong += !serves(set);
    }
    return said(wrong > 0, "tensors of 3 whose offset counts for nothing", wrong);
}

#endif
