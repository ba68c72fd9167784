/* Converts rows into memory of its own that is large enough for every width but the last few that the task allows. What it then writes
 * behind its end lands in an array that nobody reads. */
#include "good.h"

#define FITS 8100

static float converted[FITS];
static volatile float behind[8192 - FITS];
static float *volatile scratch = converted;

__attribute__((noinline)) static void convert(float *to, const uint16_t *x, int64_t columns) {
    for (int64_t c = 0; c < columns; c++) to[c] = assay_from_bf16(x[c]);
}

ENTRY {
    TAKE(norm);
    behind[0] = converted[0];
    for (int64_t row = 0; row < norm.rows; row++) {
        convert(scratch, norm.x + row * norm.x_step, norm.columns);
        good_row(&norm, row);
    }
    return ASSAY_OK;
}
