/* Uses the weights as scratch memory and restores them: equal before and after, and not in between. */
#include "good.h"

ENTRY {
    TAKE(norm);
    volatile uint16_t *w = (volatile uint16_t *)(uintptr_t)norm.w;
    uint16_t kept = w[0];
    w[0] = (uint16_t)~kept;
    __asm__ volatile("" ::: "memory");
    w[0] = kept;
    __asm__ volatile("" ::: "memory");
    good(&norm);
    return ASSAY_OK;
}
