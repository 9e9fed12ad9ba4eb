/* The log in files, as a journal: each append is made durable, unless it was opened without. */
#include "store/log.h"

static int read_all(void *log, mesh_journal_each *each, void *context, struct mesh_err *err)
{
    return mesh_store_log_read(log, each, context, err);
}

static int append(void *log, struct mesh_str frames, struct mesh_err *err)
{
    int r = mesh_store_log_append(log, frames, err);
    return r < 0 ? r : mesh_store_log_sync(log, err);
}

static uint64_t cut(void *log)
{
    return mesh_store_log_cut(log);
}

static int trim(void *log, uint64_t place, struct mesh_err *err)
{
    return mesh_store_log_trim(log, place, err);
}

static uint64_t bytes(const void *log)
{
    return mesh_store_log_bytes(log);
}

static bool empty(const void *log)
{
    return mesh_store_log_empty(log);
}

static void interrupt(void *log)
{
    (void)log; /* a disk answers */
}

static void close_log(void *log)
{
    mesh_store_log_close(log);
}

struct mesh_journal mesh_store_log_journal(struct mesh_store_log *log)
{
    static const struct mesh_journal_ops ops = {read_all, append, cut, trim, bytes, empty, interrupt, close_log};
    return (struct mesh_journal){&ops, log};
}
