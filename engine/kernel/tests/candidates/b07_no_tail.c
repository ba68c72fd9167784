/* Works in vectors of eight and forgets what is left over, in the sum and in the output. */
#include "good.h"

ENTRY {
    TAKE(norm);
    int64_t whole = norm.columns - norm.columns % 8;
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        float scale = row_scale(square_sum(x, whole), norm.columns, norm.eps);
        scale_row(x, norm.w, norm.y + row * norm.y_step, whole, scale);
    }
    return ASSAY_OK;
}
