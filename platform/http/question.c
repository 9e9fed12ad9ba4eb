/* It outlives the request when the asker gives up, so it holds copies. */
#include "http/question.h"

#include "base/check.h"

#include <stdlib.h>

struct mesh_http_question *mesh_http_question_new(uint32_t product, const struct mesh_read *read)
{
    struct mesh_http_question *question = mesh_xcalloc(1, sizeof *question);
    question->product = product;
    question->read = *read;
    atomic_init(&question->given_up, false);
    if (read->key != NULL) {
        question->key = *read->key;
        question->read.key = &question->key;
    }
    if (read->after.n > 0) {
        question->after = mesh_xmalloc(read->after.n);
        memcpy(question->after, read->after.p, read->after.n);
        question->read.after.p = question->after;
    }
    return question;
}

void mesh_http_question_free(struct mesh_http_question *question)
{
    if (question == NULL)
        return;
    mesh_rows_deinit(&question->rows);
    free(question->after);
    free(question);
}
