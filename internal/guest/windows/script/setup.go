package script

import "fmt"

// ExtendFilesystem returns the script with which diskpart extends the file system of a
// partition of the first disk to all of it, 0 for none.
func ExtendFilesystem(partition int) []byte {
	text := ""
	if partition > 0 {
		text = fmt.Sprintf("select disk 0\nselect partition %d\nextend filesystem\n", partition)
	}
	return windows(text + "exit\n")
}

// EnableRecovery returns the script that turns the recovery environment on after its
// partition was moved.
func EnableRecovery() []byte {
	return windows(head + `"%SystemRoot%\System32\reagentc.exe" /enable >>` + logVariable + " 2>&1\nexit /b 0\n")
}

// remoteKey is where Windows keeps whether it refuses remote desktop connections.
const remoteKey = `"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server" /v fDenyTSConnections`

// RestoreRemoteDesktop returns the script that gives fDenyTSConnections the value it had, and
// removes it where it had none.
func RestoreRemoteDesktop(value uint32, had bool) []byte {
	line := `"%SystemRoot%\System32\reg.exe" delete ` + remoteKey + " /f"
	if had {
		line = fmt.Sprintf(`"%%SystemRoot%%\System32\reg.exe" add %s /t REG_DWORD /d %d /f`, remoteKey, value)
	}
	return windows(head + line + " >nul 2>&1\n" +
		"if errorlevel 1 >>" + logVariable + " echo %DATE% %TIME% remote desktop connections are still refused\nexit /b 0\n")
}
