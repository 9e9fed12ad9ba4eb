/* codegen/text_diff.h: what it writes, `patch` could apply. */
#include "codegen/text_diff.h"

#include "base/check.h"

#include "../check.h"

static const char *diff(struct mesh_arena *arena, const char *old, const char *new)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_text_diff(arena, &out, "a", mesh_str_of(old), "b", mesh_str_of(new));
    return mesh_arena_strdup(arena, out.p == NULL ? "" : out.p);
}

CASE(texts_and_their_differences)
{
    struct mesh_arena arena = {0};
    CHECK_STR(diff(&arena, "x\n", "x\n"), "");
    CHECK_STR(diff(&arena, "", "x\n"), "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+x\n");
    CHECK_STR(diff(&arena, "x\n", ""), "--- a\n+++ b\n@@ -1,1 +0,0 @@\n-x\n");
    CHECK_STR(diff(&arena, "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
              "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    CHECK_STR(diff(&arena, "a\nb\nc\n", "a\nc\nd\n"), "--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\n-b\n c\n+d\n");
    CHECK_STR(diff(&arena, "a", "b"),
              "--- a\n+++ b\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n");
    mesh_arena_deinit(&arena);
}

/* Two changes far apart are two hunks; close together, one. */
CASE(hunks)
{
    struct mesh_arena arena = {0};
    const char *far = diff(&arena, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\ntwelve\n");
    CHECK_STR(far, "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n@@ -9,4 +9,4 @@\n 9\n 10\n 11\n-12\n+twelve\n");
    const char *near = diff(&arena, "1\n2\n3\n4\n5\n", "one\n2\n3\n4\nfive\n");
    CHECK_STR(near, "--- a\n+++ b\n@@ -1,5 +1,5 @@\n-1\n+one\n 2\n 3\n 4\n-5\n+five\n");
    mesh_arena_deinit(&arena);
}

/* Beyond the limit: still a difference that applies. */
CASE(large)
{
    struct mesh_arena arena = {0};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf old = MESH_BUF_NULL, new = MESH_BUF_NULL, out = MESH_BUF_NULL;
    for (int i = 0; i < 3000; i++) {
        mesh_buf_printf(&old, "old %d\n", i);
        mesh_buf_printf(&new, "new %d\n", i);
    }
    mesh_text_diff(&arena, &out, "a", (struct mesh_str){old.p, (uint32_t)old.n}, "b", (struct mesh_str){new.p, (uint32_t) new.n});
    CHECK(strncmp(out.p, "--- a\n+++ b\n@@ -1,3000 +1,3000 @@\n-old 0\n", 40) == 0);
    mesh_arena_deinit(&arena);
}
