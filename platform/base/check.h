/* Assertions that stay on, cleanup attributes, small macros. */
#ifndef MESH_BASE_CHECK_H
#define MESH_BASE_CHECK_H

#include <stddef.h>

/* A broken assumption of ours, not of the input: print where and abort. Never compiled out. */
#define mesh_assert(condition) ((condition) ? (void)0 : mesh_assert_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void mesh_assert_failed(const char *condition, const char *file, int line, const char *function);

/* `mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;` runs mesh_buf_deinit(&b) when b goes out of scope. */
#define mesh_cleanup(function) __attribute__((cleanup(function)))

#define MESH_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Memory: abort with a message when there is none. What input could make large is bounded before it is allocated. */
void *mesh_xmalloc(size_t bytes) __attribute__((malloc, returns_nonnull));
void *mesh_xcalloc(size_t count, size_t bytes) __attribute__((malloc, returns_nonnull));
void *mesh_xrealloc(void *old, size_t bytes) __attribute__((returns_nonnull));
char *mesh_xstrdup(const char *text) __attribute__((malloc, returns_nonnull));

/* For `mesh_cleanup(mesh_freep) char *text = NULL;` */
void mesh_freep(void *pointer_to_pointer);
/* For file descriptors: closes when >= 0. */
void mesh_closep(int *fd);

#endif
