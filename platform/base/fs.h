/* Files. Paths are plain strings; errors name the path and what to do. */
#ifndef MESH_BASE_FS_H
#define MESH_BASE_FS_H

#include "base/buf.h"
#include "base/vec.h"
#include "mesh/err.h"

/* The whole file, NUL-terminated (not counted). Refuses more than bytes_max. Reads whatever it is, pipes included. */
int mesh_fs_read(const char *path, size_t bytes_max, struct mesh_buf *ret, struct mesh_err *err);
/* Write beside, fsync, rename: the file is the old or the new one, never half. */
int mesh_fs_write_atomic(const char *path, const void *bytes, size_t n, struct mesh_err *err);
/* The same only when the content differs; *ret_written says. */
int mesh_fs_write_changed(const char *path, const void *bytes, size_t n, bool *ret_written, struct mesh_err *err);
/* What it makes outlasts a loss of power. */
int mesh_fs_mkdirs(const char *path, struct mesh_err *err);
bool mesh_fs_exists(const char *path);
bool mesh_fs_is_dir(const char *path);
/* A file, or a folder with everything in it; fine when it is not there. Follows no links, stays on one file system. */
int mesh_fs_remove_tree(const char *path, struct mesh_err *err);
/* Names in a folder without . and .., sorted by byte order, from the arena. */
int mesh_fs_list(struct mesh_arena *arena, const char *path, char ***ret_names, size_t *ret_n, struct mesh_err *err);
/* Write all bytes at the descriptor's position, over short writes and EINTR. */
int mesh_fs_write_all(int fd, const char *path, const void *bytes, size_t n, struct mesh_err *err);

#endif
