/* Uses the output as scratch memory before it has read its input, where both may be one. */
#include "good.h"

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        uint16_t *y = norm.y + row * norm.y_step;
        memmove(y, norm.w, (size_t)norm.columns * sizeof *y);
        float scale = row_scale(square_sum(x, norm.columns), norm.columns, norm.eps);
        for (int64_t c = 0; c < norm.columns; c++) {
            y[c] = assay_to_bf16(assay_from_bf16(x[c]) * scale * assay_from_bf16(y[c]));
        }
    }
    return ASSAY_OK;
}
