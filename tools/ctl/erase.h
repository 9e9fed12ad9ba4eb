/* `meshctl erase`: asks every product to erase a person, waits for their receipts (flow/erase.h), and looks whether bytes are left.
 *
 *     meshctl erase SUBJECT ID           send a request, collect receipts, show them
 *     meshctl erase --verify TEXT ...    look for these texts in all topics, and in the folders of --state
 *
 * What there is to ask, `meshgen subjects` of the mesh says. Nothing of a person is written to a file or a log.
 */
#ifndef MESH_CTL_ERASE_H
#define MESH_CTL_ERASE_H

int mesh_erase_main(int argc, char **argv); /* argv[0] is "erase"; an exit code */

#endif
