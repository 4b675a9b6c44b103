"""What every implementation of a protocol keeps to: in process, on AWS (moto), on Azure (Azurite, a local Resource Manager)."""
