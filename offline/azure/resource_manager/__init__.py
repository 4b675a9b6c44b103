"""A local Azure Resource Manager: what Breakwater reads and changes of a subscription, served over TLS to the real SDKs.

:class:`~offline.azure.resource_manager.manager.ResourceManager` is the whole of it; a kind of resource is one small module.
"""
