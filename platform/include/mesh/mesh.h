/* Everything a generated service and its hooks may use. */
#ifndef MESH_MESH_H
#define MESH_MESH_H

#include "mesh/avro.h"
#include "mesh/err.h"
#include "mesh/expr.h"
#include "mesh/product.h"
#include "mesh/score.h"
#include "mesh/task.h"
#include "mesh/value.h"
#include "mesh/version.h"

#endif
