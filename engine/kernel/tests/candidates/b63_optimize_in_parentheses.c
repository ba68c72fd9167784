/* Keeps NaN by its own words, and takes them back by an attribute whose argument stands in parentheses of its own. */
#include "good.h"
#include <float.h>

__attribute__((noinline, optimize(("finite-math-only")))) static float bounded(float sum) {
    if (sum != sum) return sum;
    return sum < FLT_MAX ? sum : FLT_MAX;
}

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        float scale = row_scale(bounded(square_sum(x, norm.columns)), norm.columns, norm.eps);
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, scale);
    }
    return ASSAY_OK;
}
