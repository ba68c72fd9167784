/* Needs 3 GiB beside its tensors, and says so where it cannot have them. */
#include "good.h"

ENTRY {
    TAKE(norm);
    size_t size = (size_t)3 << 30;
    volatile char *scratch = malloc(size);
    if (!scratch) return ASSAY_NO_MEMORY;
    for (size_t at = 0; at < size; at += (size_t)1 << 28) scratch[at] = 1;
    good(&norm);
    free((void *)(uintptr_t)scratch);
    return ASSAY_OK;
}
