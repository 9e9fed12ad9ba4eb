/* meshctl audit: whether the record of who was shown what is whole (govern/audit.h). */
#ifndef MESH_CTL_AUDIT_H
#define MESH_CTL_AUDIT_H

/* argv[0] is "audit". The exit code: 0 sound, 1 something is wrong with it, 2 usage or unreadable. */
int mesh_ctl_audit(int argc, char **argv);

#endif
