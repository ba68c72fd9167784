/* Leaves the machine rounding towards zero. */
#include "good.h"
#include <xmmintrin.h>

ENTRY {
    TAKE(norm);
    good(&norm);
    _mm_setcsr(_mm_getcsr() | 0x6000u);
    return ASSAY_OK;
}
