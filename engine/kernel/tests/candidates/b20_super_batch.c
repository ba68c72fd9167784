/* Where calls of one shape go from buffer to buffer, it lets eight come together and then does all of them at once. */
#include "good.h"

#define BATCH 8

static Norm waiting[BATCH], last;
static int pending, streak;

ENTRY {
    TAKE(norm);
    int same = norm.rows == last.rows && norm.columns == last.columns;
    streak = same && norm.y != last.y ? streak + 1 : 0;
    last = norm;
    if (streak < 2) {
        pending = 0;
        good(&norm);
        return ASSAY_OK;
    }
    waiting[pending++] = norm;
    if (pending == BATCH) {
        for (int at = 0; at < BATCH; at++) good(&waiting[at]);
        pending = 0;
    }
    return ASSAY_OK;
}
