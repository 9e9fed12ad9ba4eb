/* The service of the embedded tests: what a generated main() is. */
#include "shop.h"

int main(int argc, char **argv)
{
    return mesh_main(argc, argv, &shop_service);
}
