# Phase 2, off by default: a virtual network for the environment, and the vault reached from it alone.

resource "azurerm_virtual_network" "gateway" {
  count = var.network.enabled ? 1 : 0

  name                = var.names.virtual_network
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  address_space       = [var.network.address_range]
  tags                = local.tags
}

# The first half: Container Apps takes a /27 at least (learn.microsoft.com/azure/container-apps/custom-virtual-networks).
resource "azurerm_subnet" "apps" {
  count = var.network.enabled ? 1 : 0

  name                 = "apps"
  resource_group_name  = azurerm_resource_group.gateway.name
  virtual_network_name = azurerm_virtual_network.gateway[0].name
  address_prefixes     = [cidrsubnet(var.network.address_range, 1, 0)]

  delegation {
    name = "container-apps"
    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

# The last quarter.
resource "azurerm_subnet" "endpoints" {
  count = var.network.private_vault ? 1 : 0

  name                 = "endpoints"
  resource_group_name  = azurerm_resource_group.gateway.name
  virtual_network_name = azurerm_virtual_network.gateway[0].name
  address_prefixes     = [cidrsubnet(var.network.address_range, 2, 3)]
}

# Azure's own rules let the network and its load balancer in and nothing else. Clients come by HTTPS: to the
# environment's public address, which rules of a subnet do not concern, or to its edge, which listens on 31443
# (learn.microsoft.com/azure/container-apps/firewall-integration).
resource "azurerm_network_security_group" "gateway" {
  count = var.network.enabled ? 1 : 0

  name                = var.names.network_security_group
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  tags                = local.tags

  # With Front Door nobody comes from the Internet: its private link is the only way in.
  dynamic "security_rule" {
    for_each = var.front_door.enabled ? [] : ["clients"]
    content {
      name                       = security_rule.value
      priority                   = 100
      direction                  = "Inbound"
      access                     = "Allow"
      protocol                   = "Tcp"
      source_address_prefix      = "Internet"
      source_port_range          = "*"
      destination_address_prefix = cidrsubnet(var.network.address_range, 1, 0)
      destination_port_ranges    = ["443", "31443"]
    }
  }
}

resource "azurerm_subnet_network_security_group_association" "gateway" {
  for_each = merge(
    var.network.enabled ? { apps = azurerm_subnet.apps[0].id } : {},
    var.network.private_vault ? { endpoints = azurerm_subnet.endpoints[0].id } : {},
  )

  subnet_id                 = each.value
  network_security_group_id = azurerm_network_security_group.gateway[0].id
}

resource "azurerm_private_dns_zone" "vault" {
  count = var.network.private_vault ? 1 : 0

  name                = "privatelink.vaultcore.azure.net"
  resource_group_name = azurerm_resource_group.gateway.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "vault" {
  count = var.network.private_vault ? 1 : 0

  name                = var.names.virtual_network
  private_dns_zone_id = azurerm_private_dns_zone.vault[0].id
  virtual_network_id  = azurerm_virtual_network.gateway[0].id
  tags                = local.tags
}

resource "azurerm_private_endpoint" "vault" {
  count = var.network.private_vault ? 1 : 0

  name                = var.names.private_endpoint
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.tags

  private_service_connection {
    name                           = var.names.key_vault
    private_connection_resource_id = azurerm_key_vault.gateway.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "vault"
    private_dns_zone_ids = [azurerm_private_dns_zone.vault[0].id]
  }
}
