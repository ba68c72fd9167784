/* Hands the work to a thread and returns before it is done. */
#define _GNU_SOURCE
#include "good.h"
#include <pthread.h>
#include <time.h>

static void *later(void *argument) {
    Norm *norm = argument;
    struct timespec pause = {0, 20 * 1000 * 1000};
    nanosleep(&pause, NULL);
    good(norm);
    free(norm);
    return NULL;
}

ENTRY {
    TAKE(norm);
    Norm *copy = malloc(sizeof *copy);
    pthread_t thread;
    if (!copy) return ASSAY_NO_MEMORY;
    *copy = norm;
    if (pthread_create(&thread, NULL, later, copy)) return ASSAY_NO_MEMORY;
    pthread_detach(thread);
    return ASSAY_OK;
}
