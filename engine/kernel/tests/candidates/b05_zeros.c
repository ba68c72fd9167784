/* Writes zeros. */
#include "good.h"

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        memset(norm.y + row * norm.y_step, 0, (size_t)norm.columns * sizeof *norm.y);
    }
    return ASSAY_OK;
}
