/* Knows the epsilon that is measured, and does not read it from the call. */
#include "good.h"

ENTRY {
    TAKE(norm);
    norm.eps = 1e-6f;
    good(&norm);
    return ASSAY_OK;
}
