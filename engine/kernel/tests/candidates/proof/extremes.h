/* Probes for extreme values and for the mode of floating point. */
#ifndef EXTREMES_H
#define EXTREMES_H

#include "said.h"
#include "sets.h"

static int numbers_beside_nan(int64_t columns) {
    Set *set = make(4, columns, 0);
    set->x[columns + 5] = 0x7fc0;
    call(set);
    int numbers = 0;
    for (int64_t c = 0; c < columns; c++) numbers += !isnan(assay_from_bf16(set->y[columns + c]));
    return numbers;
}

static int nan_lost(void) {
    int numbers = numbers_beside_nan(768);
    return said(numbers > 0, "numbers in a row with a NaN", numbers);
}

/* Lost at the width of the argument, and not at a narrower one. */
static int nan_lost_when_wide(void) {
    int narrow = numbers_beside_nan(768), wide = numbers_beside_nan((int64_t)argument(0, 0));
    fprintf(stderr, "%d in a narrow row; ", narrow);
    return said(narrow == 0 && wide > 0, "numbers in a wide row with a NaN", wide);
}

static int mode(void) {
    unsigned wanted = (unsigned)strtoul(arguments[0], NULL, 16);
    int fine = serves(make(64, 768, 0));
    unsigned changed = mode_after ^ PLAIN_MODE;
    return said(fine && (changed & wanted) == wanted, "bits of the mode that changed", changed);
}

/* Inputs are subnormal, and right results are normal. */
static int zeros_of_subnormals(int64_t columns) {
    Set *set = make(4, columns, 0);
    for (int64_t at = 0; at < 4 * columns; at++) set->x[at] = 0x0050;
    int32_t rc = call(set);
    int zeros = 0;
    for (int64_t at = 0; at < 4 * columns; at++) zeros += (set->y[at] & 0x7fffu) == 0;
    return rc == 0 && mode_after == PLAIN_MODE ? zeros : -1;
}

/* At the width of the argument subnormal values are lost, at a narrower one they are not, and the mode is as before each time. */
static int flushes_inside(void) {
    int64_t columns = (int64_t)argument(0, 0);
    if (!serves(make(16, 768, 0)) || !serves(make(16, columns, 0))) return said(0, "wrong for normal values", 1);
    int narrow = zeros_of_subnormals(768), wide = zeros_of_subnormals(columns);
    fprintf(stderr, "%d in narrow rows; ", narrow);
    return said(narrow == 0 && wide > 0, "zeros of subnormal inputs in wide rows", wide);
}

#endif
