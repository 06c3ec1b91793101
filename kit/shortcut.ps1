# 在桌面上放一个快捷方式，指向本文件夹的 start.bat。
$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$link = Join-Path ([Environment]::GetFolderPath('Desktop')) '返贫监测.lnk'
$shortcut = (New-Object -ComObject WScript.Shell).CreateShortcut($link)
$shortcut.TargetPath = Join-Path $here 'start.bat'
$shortcut.WorkingDirectory = $here
$shortcut.WindowStyle = 7
$shortcut.Description = '返贫致贫监测 · 县级办公室（只在本机运行，不联网）'
$shortcut.Save()
