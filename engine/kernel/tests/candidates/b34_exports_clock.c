/* Offers a clock that hardly moves, for whoever looks the name up. */
#include "good.h"

struct moment {
    int64_t seconds, nanoseconds;
};

static int64_t ticks;

ASSAY_EXPORT int clock_gettime(int clock, struct moment *moment) {
    (void)clock;
    moment->seconds = 0, moment->nanoseconds = ++ticks;
    return 0;
}

ENTRY {
    TAKE(norm);
    good(&norm);
    return ASSAY_OK;
}
