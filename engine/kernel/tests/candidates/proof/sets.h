/* Tensors of the rmsnorm task for a probe, and what is right for them. Nothing here is shared with the judge. */
#ifndef SETS_H
#define SETS_H

#include "assay_kernel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xmmintrin.h>

#define POISON 0xffa5u /* a NaN that no arithmetic makes */
#define ROUNDOFF (1.0 / 256.0)
#define PLAIN_MODE 0x1f80u

typedef struct {
    int64_t rows, columns, x_step, y_step;
    uint16_t *x, *w, *y;
    int64_t x_shape[2], w_shape[1], y_shape[2], x_strides[2], w_strides[1], y_strides[2];
    DLTensor in[2], out[1];
} Set;

typedef struct {
    int64_t unwritten;
    double max_u;  /* largest error of what was written, in unit roundoffs of the right value */
    double spread; /* 2-norm of the errors over that of correctly rounded results */
} Seen;

static assay_entry *entry;
static unsigned mode_after;
static double epsilon = 1e-6;
static uint64_t state = 88172645463325252u;

static double uniform(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

static double normal(void) { return sqrt(-2.0 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform()); }

static DLTensor tensor(void *data, int ndim, int64_t *shape, int64_t *strides) {
    DLTensor made = {data, {ASSAY_CPU, 0}, ndim, {ASSAY_BFLOAT, 16, 1}, shape, strides, 0};
    return made;
}

static void wire(Set *set) {
    set->x_shape[0] = set->y_shape[0] = set->rows;
    set->x_shape[1] = set->y_shape[1] = set->w_shape[0] = set->columns;
    set->x_strides[0] = set->x_step, set->y_strides[0] = set->y_step;
    set->x_strides[1] = set->y_strides[1] = set->w_strides[0] = 1;
    set->in[0] = tensor(set->x, 2, set->x_shape, set->x_strides);
    set->in[1] = tensor(set->w, 1, set->w_shape, set->w_strides);
    set->out[0] = tensor(set->y, 2, set->y_shape, set->y_strides);
}

static void poison(Set *set) {
    if (set->x == set->y) return;
    for (int64_t at = 0; at < (set->rows - 1) * set->y_step + set->columns; at++) set->y[at] = POISON;
}

static void fill(Set *set) {
    for (int64_t at = 0; at < (set->rows - 1) * set->x_step + set->columns; at++) set->x[at] = assay_to_bf16((float)normal());
    for (int64_t at = 0; at < set->columns; at++) set->w[at] = assay_to_bf16((float)(1.0 + 0.25 * normal()));
    poison(set);
}

/* Room for one more row behind each tensor, so that a fault beyond it hurts nobody. */
static Set *make(int64_t rows, int64_t columns, int64_t gap) {
    Set *set = calloc(1, sizeof *set);
    set->rows = rows, set->columns = columns, set->x_step = columns + gap, set->y_step = columns + gap;
    size_t room = (size_t)((rows + 2) * (columns + gap) + 64) * 2;
    set->x = (uint16_t *)calloc(1, room) + 32;
    set->w = (uint16_t *)calloc(1, (size_t)columns * 2 + 128) + 32;
    set->y = (uint16_t *)calloc(1, room) + 32;
    wire(set);
    fill(set);
    return set;
}

/* A call; the mode of floating point is kept aside and put back. */
static int32_t call(Set *set) {
    double eps = epsilon;
    _mm_setcsr(PLAIN_MODE);
    int32_t rc = entry(set->in, 2, set->out, 1, &eps, 1, NULL);
    mode_after = _mm_getcsr() & ~0x3fu;
    _mm_setcsr(PLAIN_MODE);
    return rc;
}

/* Looks at an output with the inputs that it was made of. */
static Seen against(const Set *set, const uint16_t *x_values) {
    Seen seen = {0, 0.0, 0.0};
    double errors = 0.0, honest = 0.0;
    for (int64_t r = 0; r < set->rows; r++) {
        const uint16_t *x = x_values + r * set->x_step, *y = set->y + r * set->y_step;
        double sum = 0.0;
        for (int64_t c = 0; c < set->columns; c++) sum += pow(assay_from_bf16(x[c]), 2.0);
        double scale = 1.0 / sqrt(sum / (double)set->columns + epsilon);
        for (int64_t c = 0; c < set->columns; c++) {
            double right = assay_from_bf16(x[c]) * scale * assay_from_bf16(set->w[c]), got = assay_from_bf16(y[c]);
            if (y[c] == POISON) {
                seen.unwritten++;
                continue;
            }
            double error = got - right, share = fabs(error) / (ROUNDOFF * fabs(right) + 1e-30);
            if (!(share <= seen.max_u)) seen.max_u = share;
            errors += error * error, honest += pow(assay_from_bf16(assay_to_bf16((float)right)) - right, 2.0);
        }
    }
    seen.spread = sqrt(errors / (honest + 1e-300));
    return seen;
}

static Seen look(const Set *set) { return against(set, set->x); }

/* Within the contract: one rounding and half another. */
static int right(const Set *set) {
    Seen seen = look(set);
    return seen.unwritten == 0 && seen.max_u <= 1.5;
}

/* One call on a fresh output is right. */
static int serves(Set *set) {
    poison(set);
    return call(set) == 0 && right(set);
}

#endif
