/* The version of libmesh and of the contract between it and generated code.
 *
 * MESH_ABI is raised whenever generated code of an older meshgen would compile against this header but mean something else. Every
 * generated file checks it; the message names both numbers and the command that mends it.
 *
 * ABI history
 *   1  first.
 *   2  ports of kind SSE: mesh_port.out, n_out, replay; mesh_tell(). Who may ask a port: roles, purposes.
 *   3  mesh_product.documents, mesh_view.placed_by.
 */
#ifndef MESH_VERSION_H
#define MESH_VERSION_H

#define MESH_VERSION "0.1.0"
#define MESH_ABI     3

#endif
