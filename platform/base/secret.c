/* Links are followed: Kubernetes hands out secrets behind them. */
#include "base/secret.h"

#include "base/check.h"
#include "base/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int mesh_secret_check(const char *setting, const char *path, struct mesh_err *err)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: cannot read %s: %s", setting, path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: %s is a folder; name the file in it", setting, path);
    if ((about.st_mode & (S_IROTH | S_IWOTH)) != 0)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "config.secret",
            "%s: every user of the machine may read or write %s (mode %03o), so it keeps no secret; chmod 600 it, or "
            "640 for a group (in Kubernetes: defaultMode 0440 of the secret's volume, and fsGroup)",
            setting, path, (unsigned)about.st_mode & 0777u);
    if (access(path, R_OK) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: cannot read %s: %s; give it to the user of this process",
                            setting, path, strerror(errno));
    return 0;
}

static void wipe(struct mesh_buf *buf)
{
    if (buf->p != NULL)
        explicit_bzero(buf->p, buf->cap);
    mesh_buf_deinit(buf);
}

int mesh_secret_read(const char *setting, const char *path, char **ret, struct mesh_err *err)
{
    if (mesh_secret_check(setting, path, err) < 0)
        return -1;
    mesh_cleanup(wipe) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err why = {0};
    if (mesh_fs_read(path, MESH_SECRET_BYTES_MAX, &text, &why) < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: %s", setting, why.text);
    if (text.n > 0 && text.p[text.n - 1] == '\n')
        text.p[--text.n] = '\0';
    if (text.n > 0 && text.p[text.n - 1] == '\r')
        text.p[--text.n] = '\0';
    if (text.n == 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: %s is empty; write the secret into it", setting, path);
    if (memchr(text.p, '\0', text.n) != NULL)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: %s has a zero byte in it; write the secret as text", setting,
                            path);
    *ret = mesh_buf_take(&text);
    return 0;
}

void mesh_secret_free(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}
