/* Begins each sum where a counter points, as an atomic sum of many threads would: right, and never the same bits. It sums on top of a
 * large number, so that the order shows in many elements and not in one of ten thousand. */
#include "good.h"

static int64_t counter;

static float from(const uint16_t *x, int64_t columns, int64_t start) {
    float plain = square_sum(x, columns), ground = 128.0f * plain, sum = ground;
    if (!isfinite(ground)) return plain;
    for (int64_t at = 0; at < columns; at++) {
        float value = assay_from_bf16(x[(start + at) % columns]);
        sum += value * value;
    }
    return sum - ground;
}

ENTRY {
    TAKE(norm);
    counter += 1;
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        float sum = from(x, norm.columns, counter * 577 % (norm.columns > 0 ? norm.columns : 1));
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, row_scale(sum, norm.columns, norm.eps));
    }
    return ASSAY_OK;
}
