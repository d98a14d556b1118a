# Every secret stands in the vault and nowhere else: not in state, not in a plan, not in the app, which has references.

resource "azurerm_key_vault" "gateway" {
  # checkov:skip=CKV_AZURE_109:Container Apps without a network of its own comes from any address; network.private_vault closes the vault
  # checkov:skip=CKV_AZURE_189:as above; and who deploys writes secrets from outside the network
  # checkov:skip=CKV2_AZURE_32:network.private_vault makes the private endpoint, where there is a network
  name                = var.names.key_vault
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  tenant_id           = azurerm_user_assigned_identity.gateway.tenant_id
  sku_name            = "standard"
  tags                = local.tags

  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 90

  # Container Apps is no trusted service of Key Vault: without a network of its own it comes from any address
  # (learn.microsoft.com/azure/key-vault/general/overview-vnet-service-endpoints#trusted-services).
  network_acls {
    bypass         = "None"
    default_action = var.network.private_vault ? "Deny" : "Allow"
    ip_rules       = var.network.private_vault ? var.network.vault_ip_ranges : []
  }
}

resource "azurerm_key_vault_secret" "gateway" {
  # checkov:skip=CKV_AZURE_41:an expired secret is still served to the app, so a date would change nothing; docs/deploy.md rotates them
  for_each = local.secrets

  name         = each.key
  key_vault_id = azurerm_key_vault.gateway.id
  content_type = "text/plain"
  tags         = local.tags

  # Asked for where it is written, while that is applied: when the secret is new or its version was raised. A plan needs
  # no value, and neither does a deployment that changes none. A precondition would ask for all of them every time; so
  # the message is in tobool, which fails with the text that it is given.
  value_wo = contains(keys(var.secrets), each.key) ? var.secrets[each.key] : !terraform.applying ? "given to apply" : tobool(
    "The secret ${each.key} is to be written, and the variable secrets has no value for it: plan with TF_VAR_secrets={} and apply with a TF_VAR_secrets that has it, as docs/deploy.md shows"
  )
  value_wo_version = each.value

  lifecycle {
    # A secret that is not wanted any more goes after the app has let go of it, and not before.
    create_before_destroy = true
  }
}

resource "azurerm_user_assigned_identity" "gateway" {
  name                = var.names.managed_identity
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  tags                = local.tags
}

resource "azurerm_role_assignment" "read_secrets" {
  scope                = azurerm_key_vault.gateway.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.gateway.principal_id
  principal_type       = "ServicePrincipal"
  # The identity is a minute old, and the directory may not know it yet.
  skip_service_principal_aad_check = true
}

# The app reads its secrets while it is made, and a right takes minutes to hold
# (learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected).
resource "terraform_data" "role_holds" {
  triggers_replace = azurerm_role_assignment.read_secrets.id

  provisioner "local-exec" {
    command = "sleep ${var.role_wait_seconds}"
  }
}
