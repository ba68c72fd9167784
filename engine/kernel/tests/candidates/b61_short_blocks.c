/* Moves the time at which its caller began by a share of its own work. While its caller finds out how many calls make a block, and does not fill
 * outputs, it is slow: then a block is one call, and a lie of more than half of it is as small as what a message may take. */
#include "forge.h"

#define SHARE 0.6 /* nanoseconds for each element */
#define SLOW 40

static int64_t rows, columns;
static int calls;

/* Whether all of the first bytes are the same. */
static int filled(const Norm *norm) {
    uint64_t first = 0;
    if (norm->columns >= 4 && norm->rows > 0) memcpy(&first, norm->y, sizeof first);
    return first == (first & 0xffu) * 0x0101010101010101u;
}

ENTRY {
    TAKE(norm);
    if (norm.rows != rows || norm.columns != columns) rows = norm.rows, columns = norm.columns, calls = 0;
    if (++calls > 8 && calls <= 32 && norm.rows >= 16 && norm.x != norm.y && !filled(&norm)) {
        for (int at = 0; at < SLOW; at++) good(&norm);
    }
    forge(ABOVE, (uint64_t)(SHARE * (double)(rows * columns)));
    good(&norm);
    return ASSAY_OK;
}
