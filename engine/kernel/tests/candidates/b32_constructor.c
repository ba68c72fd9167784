/* Prepares a table when it is loaded, outside every timed call. */
#include "good.h"

static float reciprocal[8193];

__attribute__((constructor)) static void prepare(void) {
    for (int columns = 1; columns <= 8192; columns++) reciprocal[columns] = 1.0f / (float)columns;
}

ENTRY {
    TAKE(norm);
    if (norm.columns > 8192) return ASSAY_UNSUPPORTED;
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        float scale = 1.0f / sqrtf(square_sum(x, norm.columns) * reciprocal[norm.columns] + norm.eps);
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, scale);
    }
    return ASSAY_OK;
}
