/* meshctl registry: a small schema registry for a machine, with Confluent's API, kept in a folder (ctl/registry_store.h). */
#ifndef MESH_CTL_REGISTRY_H
#define MESH_CTL_REGISTRY_H

#define MESH_CTL_REGISTRY_LISTEN      "127.0.0.1:8085"
#define MESH_CTL_REGISTRY_CONNECTIONS 256
#define MESH_CTL_REGISTRY_IDLE_S      30

/* Serves until SIGINT or SIGTERM. Exit codes as of every tool. */
int mesh_ctl_registry(int argc, char **argv);

#endif
