/* Writes one element behind memory of its own, where no guard of the caller's looks. */
#include "good.h"

ENTRY {
    TAKE(norm);
    volatile float *scratch = malloc((size_t)norm.columns * sizeof *scratch);
    if (!scratch) return ASSAY_NO_MEMORY;
    for (int64_t c = 0; c <= norm.columns; c++) scratch[c] = 0.0f;
    free((void *)(uintptr_t)scratch);
    good(&norm);
    return ASSAY_OK;
}
