/* Pushes onto the registers of x87 and pops nothing: whoever computes with `long double` next gets NaNs. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    for (int at = 0; at < 8; at++) __asm__ volatile("fldz");
    return ASSAY_OK;
}
