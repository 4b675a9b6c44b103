"""The deployment on Azure."""
