/* Sums half of each row and takes it for the whole. */
#include "good.h"

ENTRY {
    TAKE(norm);
    int64_t half = (norm.columns + 1) / 2;
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        float scale = row_scale(square_sum(x, half), half, norm.eps);
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, scale);
    }
    return ASSAY_OK;
}
