/* Reads the clock of the processor, to know when it is timed. */
#include "good.h"
#include <x86intrin.h>

static volatile unsigned long long last;

ENTRY {
    TAKE(norm);
    last = __rdtsc();
    good(&norm);
    return ASSAY_OK;
}
